package bench

import (
	"math/bits"
	"time"
)

const (
	subBits    = 7 // 128 buckets for each power of two: values are off by less than 0.8 %
	subCount   = 1 << subBits
	maxBits    = 38 // up to 274 s
	numBuckets = (maxBits - subBits + 1) * subCount
)

// Histogram counts latencies in log-linear buckets. It is plain memory of a fixed
// size: readers fill it in shared memory, and recording allocates nothing. The
// zero value is empty.
type Histogram struct {
	counts [numBuckets]uint32
	min    uint64
	max    uint64
}

// bucket is the index of a latency: exact below 128 ns, then the highest
// eight bits of the value.
//
//go:nosplit
//go:norace
func bucket(ns uint64) int {
	shift := bits.Len64(ns) - subBits - 1
	if shift <= 0 {
		return int(ns)
	}
	if shift > maxBits-subBits-1 {
		return numBuckets - 1
	}
	return shift*subCount + int(ns>>shift)
}

// middle is the value that stands for a bucket.
func middle(i int) float64 {
	if i < 2*subCount {
		return float64(i)
	}
	shift := i/subCount - 1
	low := uint64(i-shift*subCount) << shift
	return float64(low) + float64(uint64(1)<<shift)/2
}

//go:nosplit
//go:norace
func (h *Histogram) record(ns uint64) {
	h.counts[bucket(ns)]++
	if h.min == 0 || ns < h.min {
		h.min = ns
	}
	if ns > h.max {
		h.max = ns
	}
}

// Add counts what o counted.
func (h *Histogram) Add(o *Histogram) {
	for i, n := range o.counts {
		h.counts[i] += n
	}
	if o.min != 0 && (h.min == 0 || o.min < h.min) {
		h.min = o.min
	}
	h.max = max(h.max, o.max)
}

// Count returns how many latencies were recorded.
func (h *Histogram) Count() uint64 {
	var n uint64
	for _, c := range h.counts {
		n += uint64(c)
	}
	return n
}

// Max returns the longest latency, exactly.
func (h *Histogram) Max() time.Duration { return time.Duration(h.max) }

// Quantile returns the latency that the share q (0 to 1) of all does not exceed,
// and 0 when nothing was recorded.
func (h *Histogram) Quantile(q float64) time.Duration {
	total := h.Count()
	if total == 0 {
		return 0
	}
	rank := max(1, uint64(q*float64(total)+0.5))
	var seen uint64
	for i, c := range h.counts {
		if seen += uint64(c); seen >= rank {
			return time.Duration(min(max(middle(i), float64(h.min)), float64(h.max)))
		}
	}
	return h.Max()
}
