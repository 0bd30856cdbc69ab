package core

import (
	"encoding/binary"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"lxcfs/kernelfs"
)

// TestStep holds the averages against the kernel's fixed-point arithmetic (include/linux/sched/loadavg.h,
// calc_load): two runnable tasks from zero, then none.
func TestStep(t *testing.T) {
	var avg [3]uint64
	want := map[int][3]uint64{
		1:  {328, 68, 22},
		2:  {630, 135, 44},
		6:  {1615, 393, 132},
		12: {2595, 750, 261},
		24: {950, 607, 237},
	}
	for n := 1; n <= 24; n++ {
		active := uint64(2 * fixed1)
		if n > 12 {
			active = 0
		}
		for i := range avg {
			avg[i] = step(avg[i], decay[i], active)
		}
		if w, ok := want[n]; ok && avg != w {
			t.Errorf("after %d periods: averages = %v, want %v", n, avg, w)
		}
	}
}

// TestAdvanceLoadBounded: a machine that slept a year does not make a reader wait.
func TestAdvanceLoadBounded(t *testing.T) {
	c := make(copyOf, cPerCPU)
	c.advanceLoad(1<<40, threads{Threads: kernelfs.Threads{Running: 3, Blocked: 1}}, 7)
	var want [3]uint64
	for range time.Hour / period {
		for i := range want {
			want[i] = step(want[i], decay[i], 4*fixed1)
		}
	}
	if got := [3]uint64(c[cLoad : cLoad+3]); got != want || c[cLoadAt] != 7 {
		t.Errorf("averages = %v at %d, want those of an hour, %v, at 7", got, c[cLoadAt], want)
	}
}

func TestMemLine(t *testing.T) {
	for _, tt := range []struct {
		reason, label string
		n             uint64
		kb            bool
		want          string
	}{
		{"short label", "Slab", 768, true, "Slab:                768 kB\n"},
		{"Zswap is not a column short (LXCFS 7.0 was)", "Zswap", 0, true, "Zswap:                 0 kB\n"},
		{"a page count has no unit", "HugePages_Total", 12, false, "HugePages_Total:      12\n"},
		{"label longer than the column", "HardwareCorrupted", 0, true, "HardwareCorrupted:     0 kB\n"},
		{"number longer than the column", "VmallocTotal", 34359738367, true, "VmallocTotal:   34359738367 kB\n"},
		{"eight digits", "MemTotal", 24684084, true, "MemTotal:       24684084 kB\n"},
	} {
		v := &View{}
		v.memLine([]byte(tt.label), tt.n, tt.kb)
		if diff := cmp.Diff(tt.want, string(v.out)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.reason, diff)
		}
	}
}

func TestHugeName(t *testing.T) {
	for size, want := range map[kernelfs.Bytes]string{64 << 10: "64KB", 2 << 20: "2MB", 512 << 20: "512MB", 1 << 30: "1GB", 16 << 30: "16GB"} {
		if got := hugeName(size); got != want {
			t.Errorf("hugeName(%d) = %q, want %q", size, got, want)
		}
	}
}

// TestWarnings: a cause is due once, others are their own; all are due anew when more than a minute has passed.
func TestWarnings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w warnings
		if !w.due("a") || w.due("a") || !w.due("b") {
			t.Error("a cause is not due exactly once")
		}
		for i := range 1000 {
			w.due(string(rune(i)))
		}
		if len(w.seen) != 256 {
			t.Errorf("%d causes are remembered, want 256", len(w.seen))
		}
		time.Sleep(time.Minute)
		if w.due("a") {
			t.Error("a cause is due again before a minute has passed")
		}
		time.Sleep(time.Nanosecond)
		if !w.due("a") {
			t.Error("a cause is not due again after a minute")
		}
	})
}

// A record that is being made has no key: a successor of who died meanwhile must not find it.
func TestRecordInTheMakingHasNoKey(t *testing.T) {
	h := newHistory(nil, 1)
	for key := uint64(1); key <= ways+1; key++ { // the last one takes another's place
		r, fresh := h.find(0, key)
		if !fresh || r[rKey] != 0 {
			t.Fatalf("find of container %d = a record of %d, fresh: %v; want a fresh one of none", key, r[rKey], fresh)
		}
		r[rKey], r[rUsed] = key, key
	}
}

// The words of a history are those of its state, from the first on: another process reads them there.
func TestHistoryBeginsWithItsState(t *testing.T) {
	state := make([]byte, StateSize(ways, 2))
	newHistory(state, 2)
	if got := binary.NativeEndian.Uint64(state[8*hMagic:]); got != historyMagic {
		t.Errorf("the state's word %d is %#x, want %#x", hMagic, got, uint64(historyMagic))
	}
}
