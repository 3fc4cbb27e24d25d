package rnnlm

import (
	"math"

	"batchrnn/bench/lm/text"
)

// The cost model of an adaptive softmax (Grave, Joulin, Cissé, Grangier & Jégou 2017),
// per token and in multiply-adds of a product with many rows: a token that reaches an
// output layer of n outputs and f features costs n·(f + perOutput). A cluster takes f·W
// more, for its features.
//
// perOutput is what an output costs beside its product: the exponential, its gradient,
// packing, and the parts of products that do not depend on f. Measured by products and
// softmaxes of 64 rows: see bench/RESULTS.md, Cutoffs.
const perOutput = 24

// More clusters cost less, but rare words then get too few features. With H = 256 and
// 10,000 words of War and Peace, two clusters reached a perplexity of 143 on the
// validation split, three 159 and four 176 (bench/RESULTS.md, Cutoffs).
const (
	mostClusters  = 2
	leastFeatures = 8 // of a second cluster
	leastGrowth   = 4 // of a cutoff over the one before it
)

// AdaptiveCutoffs returns the cutoffs of an adaptive softmax for states of the given
// width, or none if the vocabulary is so small that a full softmax is about as fast.
// They have the least cost by the model above for the training text of c, on a grid of
// ten points for each doubling.
func AdaptiveCutoffs(c *text.Corpus, width int) []int {
	vocab := c.Vocab.Len()
	if vocab < manyTokens {
		return nil
	}
	// share[i] is the share of the ids from i on.
	share := make([]float64, vocab+1)
	for id, n := range c.Counts() { // not the ids, which may be in files that nothing has read yet
		for range n { // a product would round otherwise
			share[id] += 1 / float64(len(c.Train))
		}
	}
	for i := vocab - 1; i >= 0; i-- {
		share[i] += share[i+1]
	}
	var grid []int
	for x := 16.0; int(x) < vocab; x *= math.Pow(2, 0.1) {
		grid = append(grid, int(x))
	}
	var best []int
	least := math.Inf(1)
	for clusters := 1; clusters <= mostClusters && (clusters == 1 || features(width, clusters-1) >= leastFeatures); clusters++ {
		if cuts, cost := cheapest(share, grid, width, clusters); cost < least {
			best, least = cuts, cost
		}
	}
	return best
}

// features returns the number of features of cluster i, see [rnn.Tail].
func features(width, i int) float64 { return float64(max(width>>(2*(i+1)), 1)) }

// cheapest returns the cutoffs of a number of clusters with the least cost, by dynamic
// programming from the last cluster to the head.
func cheapest(share []float64, grid []int, width, clusters int) (cuts []int, cost float64) {
	vocab := len(share) - 1
	// costs[j] is the least cost of the outputs from grid[j] on, as clusters i and
	// later; next[i][j] is where cluster i+1 then begins.
	costs, next := make([]float64, len(grid)), make([][]int, clusters)
	for i := clusters - 1; i >= 0; i-- {
		features := features(width, i)
		now := make([]float64, len(grid))
		next[i] = make([]int, len(grid))
		for j, from := range grid {
			now[j] = math.Inf(1)
			reach := func(to int) float64 { // tokens of this cluster alone compute it
				return (share[from] - share[to]) * (float64(to-from)*(features+perOutput) + features*float64(width))
			}
			if i == clusters-1 {
				now[j] = reach(vocab)
				continue
			}
			for k := j + 1; k < len(grid); k++ {
				if grid[k] < leastGrowth*from {
					continue
				}
				if c := reach(grid[k]) + costs[k]; c < now[j] {
					now[j], next[i][j] = c, k
				}
			}
		}
		costs = now
	}
	first := 0
	cost = math.Inf(1)
	for j, cut := range grid {
		if c := float64(cut+clusters)*float64(width+perOutput) + costs[j]; c < cost {
			cost, first = c, j
		}
	}
	for i, j := 0, first; i < clusters; i++ {
		cuts = append(cuts, grid[j])
		if i < clusters-1 {
			j = next[i][j]
		}
	}
	return cuts, cost
}
