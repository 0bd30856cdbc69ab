package core

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"lxcfs/kernelfs"
)

// TestHostMemory: every line that has a part in the memory model goes to its place.
func TestHostMemory(t *testing.T) {
	const text = `MemTotal:          1001 kB
SwapTotal:         1002 kB
no line of meminfo
HugePages_Total:      3
HugePages_Free:       4
HugePages_Rsvd:       5
Hugepagesize:      2048 kB
Largest:       9007199254740992 kB
Larger:        9007199254740993 kB
Word:             many kB
`
	var h hostMemory
	h.parse([]byte("Before: 1 kB\n"))
	h.parse([]byte(text))
	type values struct {
		total, swap, hugeSize         kernelfs.Bytes
		hugeTotal, hugeFree, hugeRsvd uint64
	}
	got := values{h.total, h.swap, h.hugeSize, h.hugeTotal, h.hugeFree, h.hugeRsvd}
	if want := (values{1001 << 10, 1002 << 10, 2 << 20, 3, 4, 5}); got != want {
		t.Errorf("host's memory %+v, want %+v", got, want)
	}
	lines := map[string]uint64{}
	for _, l := range h.lines {
		lines[string(l.label)] = l.value
		if want := l.value < 3 || l.value > 5; l.kb != want {
			t.Errorf("%s is in kB: %v, want %v", l.label, l.kb, want)
		}
	}
	want := map[string]uint64{
		"MemTotal": 1001, "SwapTotal": 1002, "HugePages_Total": 3, "HugePages_Free": 4, "HugePages_Rsvd": 5, "Hugepagesize": 2048,
		"Largest": 1 << 53, "Larger": 0, "Word": 0,
	}
	if diff := cmp.Diff(want, lines); diff != "" || string(h.text) != text {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
}

// TestHostMemoryOwnLines: a line's formula is that of its label, wherever it stood before.
func TestHostMemoryOwnLines(t *testing.T) {
	var h hostMemory
	for _, text := range []string{
		"MemTotal: 1 kB\nMemFree: 2 kB\nBounce: 3 kB\nSlab: 4 kB\n",
		"MemTotal: 1 kB\nMemFree: 20 kB\nBounce: 3 kB\nSlab: 4 kB\n",
		"MemFree: 2 kB\nMemTotal: 1 kB\nSlab: 4 kB\nBounce: 3 kB\nDirty: 5 kB\n",
		"Slab: 4 kB\nDirt: 5 kB\n",
	} {
		h.parse([]byte(text))
		for _, l := range h.lines {
			if want := memLabels[string(l.label)]; l.own != want {
				t.Errorf("%q: the formula of %s is %+v, want %+v", text, l.label, l.own, want)
			}
		}
	}
}

func TestCPUNumber(t *testing.T) {
	for _, tt := range []struct {
		line string
		n    int
		rest string
		ok   bool
	}{
		{"cpu0 1 2", 0, " 1 2", true},
		{"cpu65535 1", 65535, " 1", true},
		{"cpu65536 1", 0, "", false},
		{"cpu  1 2", 0, "", false},
		{"intr 5", 0, "", false},
	} {
		n, rest, ok := cpuNumber([]byte(tt.line))
		if ok != tt.ok || ok && (n != tt.n || string(rest) != tt.rest) {
			t.Errorf("cpuNumber(%q) = %d, %q, %v, want %d, %q, %v", tt.line, n, rest, ok, tt.n, tt.rest, tt.ok)
		}
	}
}
