package bench

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func TestBucketHoldsItsMiddle(t *testing.T) {
	last := -1
	for _, ns := range []uint64{0, 1, 127, 128, 255, 256, 258, 511, 512, 1000, 41_300, 1e6, 2_400_000, 1e9, 60e9, 274e9} {
		i := bucket(ns)
		if i <= last {
			t.Errorf("bucket(%d) = %d, not above %d of a smaller value", ns, i, last)
		}
		last = i
		if off := math.Abs(middle(i) - float64(ns)); off > 0.008*float64(ns) {
			t.Errorf("middle(bucket(%d)) = %g, off by more than 0.8 %%", ns, middle(i))
		}
		if got := bucket(uint64(middle(i))); got != i {
			t.Errorf("bucket(middle(%d)) = %d", i, got)
		}
	}
	if got := bucket(math.MaxUint64); got != numBuckets-1 {
		t.Errorf("bucket of the largest value = %d, want the last, %d", got, numBuckets-1)
	}
}

func TestQuantileIsThatOfTheSortedValues(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var h Histogram
	var all []uint64
	for range 20_000 {
		ns := uint64(math.Exp(random.NormFloat64()) * 40_000)
		all = append(all, ns)
		h.record(ns)
	}
	slices.Sort(all)
	for _, q := range []float64{.5, .9, .99, .999, 1} {
		got := float64(h.Quantile(q))
		want := float64(all[int(q*float64(len(all))+.5)-1])
		if math.Abs(got-want) > 0.01*want {
			t.Errorf("Quantile(%g) = %g, want %g within 1 %%", q, got, want)
		}
	}
	if got := h.Max(); got != time.Duration(all[len(all)-1]) {
		t.Errorf("Max() = %v, want %d ns", got, all[len(all)-1])
	}
}

func TestHistogramAdd(t *testing.T) {
	var a, b Histogram
	if got := a.Quantile(.5); got != 0 {
		t.Errorf("Quantile of nothing = %v, want 0", got)
	}
	for range 3 {
		a.record(100)
	}
	b.record(7)
	b.record(9_000)
	a.Add(&b)
	if got := a.Count(); got != 5 {
		t.Errorf("Count() = %d, want 5", got)
	}
	if got := a.Quantile(.5); got != 100 {
		t.Errorf("median = %v, want 100ns", got)
	}
	if got := a.Quantile(0.01); got != 7 {
		t.Errorf("lowest = %v, want 7ns", got)
	}
	if got := a.Max(); got != 9_000 {
		t.Errorf("Max() = %v, want 9µs", got)
	}
}

func TestRecordAllocatesNothing(t *testing.T) {
	h := new(Histogram)
	if n := testing.AllocsPerRun(100, func() { h.record(41_000) }); n != 0 {
		t.Errorf("record allocates %g times", n)
	}
}
