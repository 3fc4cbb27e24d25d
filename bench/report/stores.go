package report

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"batchrnn/bench/lm/ngram"
	"batchrnn/bench/study"
	"batchrnn/internal/figures"
)

// A storeGrid holds the n-gram models by name and store.
type storeGrid struct {
	names, stores []string
	at            map[[2]string]study.Model
}

func gridOf(models []study.Model) storeGrid {
	g := storeGrid{at: map[[2]string]study.Model{}}
	for _, m := range models {
		if m.Kind != study.KindNgram {
			continue
		}
		if !slices.Contains(g.names, m.Name()) {
			g.names = append(g.names, m.Name())
		}
		if !slices.Contains(g.stores, m.Store) {
			g.stores = append(g.stores, m.Store)
		}
		g.at[[2]string{m.Name(), m.Store}] = m
	}
	return g
}

// bytes returns a cell for each store with the model's size in it.
func (g storeGrid) bytes(name string) (cells []string) {
	for _, store := range g.stores {
		m := g.at[[2]string{name, store}]
		cells = append(cells, figures.Known(m.BytesPredicted > 0, figures.Bytes(m.BytesPredicted)))
	}
	return cells
}

// bits returns two cells with the model's bits per token: in the lossless stores, and
// in the quantised one.
func (g storeGrid) bits(name string) []string {
	lossless, rounded := g.at[[2]string{name, g.stores[0]}], g.at[[2]string{name, ngram.Quantised.String()}]
	return []string{
		figures.Known(lossless.Order > 0, threeDecimals(lossless.BitsPerToken)),
		figures.Known(rounded.Order > 0, threeDecimals(rounded.BitsPerToken)),
	}
}

// short returns a store's name for a column of stores.
func short(store string) string { return strings.TrimSuffix(store, " trie") }

// writeStores writes a table of the n-gram models in each of their stores, if
// there is more than one.
func writeStores(w io.Writer, models []study.Model, bits string) {
	g := gridOf(models)
	if len(g.stores) < 2 {
		return
	}
	head := [2][]string{{"the same"}, {"in each store"}}
	add := func(above, below string) {
		head[0], head[1] = append(head[0], above), append(head[1], below)
	}
	for _, store := range g.stores {
		add("bytes,", short(store))
	}
	add("tokens/s", "hash")
	add(bits+",", "quantised") // the lossless stores have those of the table above
	rows := [][]string{head[0], head[1]}
	for _, name := range g.names {
		row := append([]string{name}, g.bytes(name)...)
		row = append(row, rateOrNone(g.at[[2]string{name, ngram.Hash.String()}].ScoreTokensPerSecond))
		rows = append(rows, append(row, g.bits(name)[1]))
	}
	fmt.Fprintln(w)
	writeTable(w, rows)
}

// storesTable returns the table of stores for the page, with the time a token in each
// store, its head first. It returns nil if there is only one store.
func storesTable(models []study.Model, token string) [][]string {
	g := gridOf(models)
	if len(g.stores) < 2 {
		return nil
	}
	head := []string{"model"}
	for _, store := range g.stores {
		head = append(head, "bytes, "+short(store))
	}
	for _, store := range g.stores {
		head = append(head, "one by one, "+short(store))
	}
	rows := [][]string{append(head, "bits/"+token+", lossless", "bits/"+token+", quantised")}
	for _, name := range g.names {
		row := append([]string{name}, g.bytes(name)...)
		for _, store := range g.stores {
			cell := figures.None
			if rate := g.at[[2]string{name, store}].ScoreTokensPerSecond; rate > 0 {
				cell = secondsOrNone(1 / rate)
			}
			row = append(row, cell)
		}
		rows = append(rows, append(row, g.bits(name)...))
	}
	return rows
}
