package fakekernel

import (
	"bytes"
	"cmp"
	"iter"
	"maps"
	"slices"
	"time"
)

// newMachine boots: cgroups mounted, the host's own processes running, an uptime that every counter agrees with.
func newMachine(c Config, v version) (*machine, error) {
	m := &machine{
		Config:    c,
		version:   v,
		psi:       !c.NoPSI && v >= 4020,
		zswap:     !c.NoZswap && v >= v5_19,
		hugeSizes: []hugeSize{{"2MB", 2 << 20}, {"1GB", 1 << 30}},
	}
	m.mountCgroups()
	m.bootProcesses()
	m.bootMemory()
	m.bootCPUs()
	if err := m.bootDisks(); err != nil {
		return nil, err
	}
	m.samples = m.now / loadEvery * loadEvery
	m.averages = m.now / psiEvery * psiEvery
	m.load = [3]uint64{77, 51, 30}
	for i := range m.psiHost {
		m.psiHost[i].some.total = time.Duration(2262695+101*i) * time.Microsecond
		m.psiHost[i].some.counted = m.psiHost[i].some.total
	}
	return m, nil
}

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }

// lines yields the lines of b without their ends.
func lines(b []byte) iter.Seq[string] {
	return func(yield func(string) bool) {
		for line := range bytes.Lines(b) {
			if !yield(string(bytes.TrimSuffix(line, []byte{'\n'}))) {
				return
			}
		}
	}
}
