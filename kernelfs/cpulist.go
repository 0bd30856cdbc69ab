package kernelfs

import (
	"bytes"
	"iter"
	"math/bits"
	"strconv"
)

// CPUList is a set of CPU numbers, printed by the kernel as a list ("0-3,7",
// Documentation/core-api/cpu_hotplug.rst) or as a mask of 32-bit words. Bit n is CPU n.
type CPUList []uint64

// maxCPUs bounds what a list may name. Linux allows 8192 (CONFIG_NR_CPUS).
const maxCPUs = 1 << 16

// ParseCPUList appends the CPUs of the list b to dst, whose memory is used again, and returns the
// set. The empty list is the empty set. Errors are ParseErrors that name path.
func ParseCPUList(path string, b []byte, dst CPUList) (CPUList, error) {
	dst = dst[:0]
	b = bytes.TrimSpace(b)
	for len(b) > 0 {
		lo, rest, ok := ParseUint(b)
		if !ok {
			return dst, &ParseError{path, 1, errNumber}
		}
		hi := lo
		if len(rest) > 0 && rest[0] == '-' {
			if hi, rest, ok = ParseUint(rest[1:]); !ok {
				return dst, &ParseError{path, 1, errNumber}
			}
		}
		if hi >= maxCPUs || lo > hi {
			return dst, &ParseError{path, 1, errRange}
		}
		for n := lo; n <= hi; n++ {
			dst = dst.add(int(n))
		}
		if len(rest) > 0 && rest[0] != ',' {
			return dst, &ParseError{path, 1, errFormat}
		}
		b = rest[min(1, len(rest)):]
	}
	return dst, nil
}

// CPURange returns the set of CPUs 0 to n-1.
func CPURange(n int) CPUList {
	var l CPUList
	for i := range n {
		l = l.add(i)
	}
	return l
}

func (l CPUList) add(n int) CPUList {
	for n>>6 >= len(l) {
		l = append(l, 0)
	}
	l[n>>6] |= 1 << (n & 63)
	return l
}

// Has reports whether CPU n is in the set.
func (l CPUList) Has(n int) bool {
	return n >= 0 && n>>6 < len(l) && l[n>>6]>>(n&63)&1 == 1
}

// Count returns how many CPUs are in the set.
func (l CPUList) Count() int {
	n := 0
	for _, w := range l {
		n += bits.OnesCount64(w)
	}
	return n
}

// Max returns the highest CPU of the set, -1 if it is empty.
func (l CPUList) Max() int {
	for i := len(l) - 1; i >= 0; i-- {
		if l[i] != 0 {
			return i<<6 + 63 - bits.LeadingZeros64(l[i])
		}
	}
	return -1
}

// All yields the CPUs in ascending order.
func (l CPUList) All() iter.Seq[int] {
	return func(yield func(int) bool) {
		for i, w := range l {
			for ; w != 0; w &= w - 1 {
				if !yield(i<<6 + bits.TrailingZeros64(w)) {
					return
				}
			}
		}
	}
}

// Cut removes all but the n lowest CPUs, in place.
func (l CPUList) Cut(n int) {
	for i := range l {
		for c := bits.OnesCount64(l[i]); c > n; c-- {
			l[i] &^= 1 << (63 - bits.LeadingZeros64(l[i]))
		}
		n -= bits.OnesCount64(l[i])
	}
}

// Copy returns l written over dst's memory.
func (l CPUList) Copy(dst CPUList) CPUList { return append(dst[:0], l...) }

// Equal reports whether both sets hold the same CPUs.
func (l CPUList) Equal(x CPUList) bool {
	for i := range max(len(l), len(x)) {
		var a, b uint64
		if i < len(l) {
			a = l[i]
		}
		if i < len(x) {
			b = x[i]
		}
		if a != b {
			return false
		}
	}
	return true
}

// AppendList appends the set as the kernel's "%*pbl" prints it: "0-3,7".
func (l CPUList) AppendList(dst []byte) []byte {
	start, prev := -1, -1
	flush := func() {
		if start < 0 {
			return
		}
		dst = strconv.AppendInt(dst, int64(start), 10)
		if prev > start {
			dst = strconv.AppendInt(append(dst, '-'), int64(prev), 10)
		}
	}
	for i, w := range l {
		for ; w != 0; w &= w - 1 {
			n := i<<6 + bits.TrailingZeros64(w)
			if start >= 0 && n == prev+1 {
				prev = n
				continue
			}
			if start >= 0 {
				flush()
				dst = append(dst, ',')
			}
			start, prev = n, n
		}
	}
	flush()
	return dst
}

func (l CPUList) String() string { return string(l.AppendList(nil)) }

// CutMask writes over mask, text of the kernel's "%*pb" (comma separated 32-bit hexadecimal words,
// highest first), with the bits of CPUs outside the set cleared. Its width, which tells the number
// of possible CPUs of the host, stays. It reports false if mask does not look like one.
func (l CPUList) CutMask(mask []byte) bool {
	const digits = "0123456789abcdef"
	bit := 0
	for i := len(mask) - 1; i >= 0; i-- {
		c := mask[i]
		if c == ',' {
			continue
		}
		v := bytes.IndexByte([]byte(digits), c|0x20)
		if c <= '9' {
			v = bytes.IndexByte([]byte(digits), c)
		}
		if v < 0 {
			return false
		}
		for b := range 4 {
			if !l.Has(bit + b) {
				v &^= 1 << b
			}
		}
		mask[i] = digits[v]
		bit += 4
	}
	return true
}

// Remove takes CPU n out of the set, in place.
func (l CPUList) Remove(n int) {
	if l.Has(n) {
		l[n>>6] &^= 1 << (n & 63)
	}
}
