package fakekernel

import (
	"fmt"
	"iter"
	"math/bits"
	"strconv"
	"strings"
)

// cpumask is a set of CPU numbers, one bit each.
type cpumask []uint64

func newMask(n int) cpumask { return make(cpumask, (n+63)/64) }

func fullMask(n int) cpumask {
	m := newMask(n)
	for i := range n {
		m.set(i)
	}
	return m
}

func (m cpumask) has(i int) bool { return i>>6 < len(m) && m[i>>6]&(1<<(i&63)) != 0 }
func (m cpumask) set(i int)      { m[i>>6] |= 1 << (i & 63) }
func (m cpumask) clear(i int)    { m[i>>6] &^= 1 << (i & 63) }
func (m cpumask) clone() cpumask { return append(cpumask(nil), m...) }

func (m cpumask) count() (n int) {
	for _, w := range m {
		n += bits.OnesCount64(w)
	}
	return n
}

func (m cpumask) and(o cpumask) cpumask {
	r := m.clone()
	for i := range r {
		r[i] &= o[i]
	}
	return r
}

func (m cpumask) within(o cpumask) bool {
	for i := range m {
		if m[i]&^o[i] != 0 {
			return false
		}
	}
	return true
}

// all yields the CPU numbers in rising order.
func (m cpumask) all() iter.Seq[int] {
	return func(yield func(int) bool) {
		for i, w := range m {
			for w != 0 {
				if !yield(i<<6 + bits.TrailingZeros64(w)) {
					return
				}
				w &= w - 1
			}
		}
	}
}

// String is the kernel's list form: 0-3,7.
func (m cpumask) String() string {
	var b []byte
	first, last := -1, -1
	flush := func() {
		if first < 0 {
			return
		}
		if len(b) > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, int64(first), 10)
		if last > first {
			b = append(b, '-')
			b = strconv.AppendInt(b, int64(last), 10)
		}
	}
	for c := range m.all() {
		if first >= 0 && c == last+1 {
			last = c
			continue
		}
		flush()
		first, last = c, c
	}
	flush()
	return string(b)
}

// hex is the kernel's mask form for n possible CPUs: 32-bit groups, the highest first.
func (m cpumask) hex(n int) string {
	var b strings.Builder
	groups := (n + 31) / 32
	for g := groups - 1; g >= 0; g-- {
		w := uint32(m[g/2] >> (32 * (g % 2)))
		digits := 8
		if g == groups-1 && n%32 != 0 {
			digits = (n%32 + 3) / 4
		}
		fmt.Fprintf(&b, "%0*x", digits, w)
		if g > 0 {
			b.WriteByte(',')
		}
	}
	return b.String()
}

// parseMask reads a list of CPUs below n.
func parseMask(s string, n int) (cpumask, error) {
	m := newMask(n)
	if s == "" {
		return m, nil
	}
	for _, part := range strings.Split(s, ",") {
		lo, hi, isRange := strings.Cut(part, "-")
		if !isRange {
			hi = lo
		}
		a, err1 := strconv.Atoi(lo)
		z, err2 := strconv.Atoi(hi)
		if err1 != nil || err2 != nil || a < 0 || z < a || z >= n {
			return nil, fmt.Errorf("CPU list %q: want ids below %d, such as 0-3", s, n)
		}
		for c := a; c <= z; c++ {
			m.set(c)
		}
	}
	return m, nil
}
