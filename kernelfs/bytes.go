package kernelfs

import "math"

// Bytes is an amount of memory or of transferred data.
type Bytes uint64

// NoLimit stands for "max" (cgroup v2) and for v1's page-counter maximum. It is larger than any
// limit, so min picks the real one.
const NoLimit = Bytes(math.MaxUint64)

// v1NoLimit is the smallest value that cgroup v1 means as "unlimited": PAGE_COUNTER_MAX is
// LONG_MAX rounded down to a page, and pages are at most 64 KiB.
const v1NoLimit = uint64(math.MaxInt64) &^ 0xffff

// Sub returns b-x, and 0 where x is larger: usage may exceed a limit that was just lowered.
func (b Bytes) Sub(x Bytes) Bytes {
	if x >= b {
		return 0
	}
	return b - x
}

// Add returns b+x, and NoLimit where the sum does not fit.
func (b Bytes) Add(x Bytes) Bytes {
	if s := b + x; s >= b {
		return s
	}
	return NoLimit
}

// KB returns b in the unit of /proc/meminfo, 1024 bytes, rounded down as the kernel does.
func (b Bytes) KB() uint64 { return uint64(b) >> 10 }
