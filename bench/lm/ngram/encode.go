package ngram

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// This file has the form of each store in a model file, and its checks. A map is its
// n-grams in ascending order. A hash table is its occupied slots: hashes ascend, so
// their layout is unique. A trie is its arrays, without the samples.

// encodedBytes returns the bytes of the n-grams in a file.
func (s Shape) encodedBytes() int64 {
	var total int64
	switch s.Store {
	case Map:
		for i, n := range s.Entries {
			total += int64(n) * int64(mapRecordBytes(i+1))
		}
	case Hash:
		for i, n := range s.Entries {
			total += int64(n) * int64(hashRecordBytes(i+1, len(s.Entries)))
		}
	default:
		total = s.Bytes()
		for _, n := range s.Entries[:len(s.Entries)-1] {
			total -= 4 * int64(n/sampleStep+1)
		}
	}
	return total
}

func mapRecordBytes(n int) int { return wordBytes*n + weightsBytes }

func hashRecordBytes(n, order int) int {
	switch n {
	case 1:
		return weightsBytes
	case order:
		return lastBytes
	}
	return slotBytes
}

// The words of an n-gram are the only big-endian numbers of the file, because the map's
// keys are big-endian.
func (m *mapStore) encode(e *encoder) {
	for i := range m.entries {
		for _, key := range m.ascending(i + 1) {
			e.bytes([]byte(key))
			e.weights(m.grams[key])
		}
	}
}

func (e *encoder) weights(v weights) {
	e.float32(v.prob)
	e.float32(v.backoff)
}

func weightsOf(b []byte) weights {
	return weights{float32Of(b), float32Of(b[4:])}
}

func float32Of(b []byte) float32 { return math.Float32frombits(binary.LittleEndian.Uint32(b)) }

func (v weights) check(n int) error { return checkValues(n, v.prob, v.backoff) }

// checkValues refuses values that scoring can't add up.
func checkValues(n int, prob, backoff float32) error {
	if !isLogProb(prob) || !isFinite(backoff) {
		return fmt.Errorf("order %d has values %v and %v, which are no log-probability and back-off: damaged file", n, prob, backoff)
	}
	return nil
}

func (d *decoder) mapStore(s Shape) (store, error) {
	m := newMap(s.Entries)
	for i, entries := range s.Entries {
		n, previous := i+1, ""
		err := d.records(entries, mapRecordBytes(n), func(_ int, b []byte) error {
			key, v := string(b[:wordBytes*n]), weightsOf(b[wordBytes*n:])
			if key <= previous {
				return fmt.Errorf("order %d does not ascend: damaged file", n)
			}
			previous = key
			if _, listed := m.grams[key[:wordBytes*i]]; i > 0 && !listed {
				return fmt.Errorf("order %d has an n-gram without its prefix: damaged file", n)
			}
			if w := binary.BigEndian.Uint32(b[wordBytes*i:]); w >= uint32(s.Vocab) {
				return outside(n, w)
			}
			m.grams[key] = v
			return v.check(n)
		})
		if err != nil {
			return nil, err
		}
	}
	return m, nil
}

func outside(n int, w uint32) error {
	return fmt.Errorf("order %d has word %d, outside the vocabulary: damaged file", n, w)
}

func (h *hashStore) encode(e *encoder) {
	for _, v := range h.words {
		e.weights(v)
	}
	for _, t := range h.middle {
		for i := range t.slots {
			if s := &t.slots[i]; s.hash != freeSlot {
				e.uint64(s.hash)
				e.weights(s.weights)
			}
		}
	}
	for i := range h.last.slots {
		if s := &h.last.slots[i]; s.hash() != freeSlot {
			e.uint64(s.hash())
			e.float32(s.prob)
		}
	}
}

func (d *decoder) hashStore(s Shape) (store, error) {
	order := len(s.Entries)
	h := &hashStore{order: order, words: make([]weights, s.Vocab)}
	err := d.records(s.Vocab, weightsBytes, func(i int, b []byte) error {
		h.words[i] = weightsOf(b)
		return h.words[i].check(1)
	})
	for n := 2; n < order && err == nil; n++ {
		t := newTable(s.Entries[n-1])
		p := placer{n: n, vocab: s.Vocab, homes: t.homes, below: h.holds}
		err = d.records(s.Entries[n-1], slotBytes, func(_ int, b []byte) error {
			hash, v := binary.LittleEndian.Uint64(b), weightsOf(b[8:])
			at, err := p.place(hash, len(t.slots))
			if err != nil {
				return err
			}
			t.slots[at] = slot{hash, v}
			return v.check(n)
		})
		h.middle = append(h.middle, t)
	}
	if order == 1 || err != nil {
		return h, err
	}
	h.last = newLastTable(s.Entries[order-1])
	p := placer{n: order, vocab: s.Vocab, homes: h.last.homes, below: h.holds}
	err = d.records(s.Entries[order-1], lastBytes, func(_ int, b []byte) error {
		hash, prob := binary.LittleEndian.Uint64(b), float32Of(b[8:])
		at, err := p.place(hash, len(h.last.slots))
		if err != nil {
			return err
		}
		h.last.slots[at] = lastSlot{uint32(hash >> 32), uint32(hash), prob}
		return checkValues(order, prob, 0)
	})
	return h, err
}

// holds reports whether the slot of order n, below the highest, is occupied.
func (h *hashStore) holds(n int, slot uint32) bool {
	if n == 1 {
		return uint64(slot) < uint64(len(h.words))
	}
	t := &h.middle[n-2]
	return uint64(slot) < uint64(len(t.slots)) && t.slots[slot].hash != freeSlot
}

// placer finds the slots of hashes that come in ascending order.
type placer struct {
	n, vocab int
	homes    uint64
	below    func(n int, slot uint32) bool
	previous uint64 // hash
	next     uint32 // slot
}

func (p *placer) place(hash uint64, slots int) (uint32, error) {
	prefix, w := keyOf(hash)
	switch {
	case hash == freeSlot || hash < p.previous || hash == p.previous && p.next > 0:
		return 0, fmt.Errorf("order %d does not ascend: damaged file", p.n)
	case !p.below(p.n-1, prefix):
		return 0, fmt.Errorf("order %d has an n-gram without its prefix: damaged file", p.n)
	case w >= uint32(p.vocab):
		return 0, outside(p.n, w)
	}
	at := max(home(hash, p.homes), p.next)
	if int64(at) >= int64(slots)-1 {
		return 0, errors.New("hashes too alike: damaged file")
	}
	p.previous, p.next = hash, at+1
	return at, nil
}
