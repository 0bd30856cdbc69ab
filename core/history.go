package core

import (
	"sync"
	"sync/atomic"
	"time"
	"unsafe"
)

// History holds what a container must never see fall or start again: its CPU counters and its load
// averages. It is a table of records of fixed size in one piece of memory, so that it can lie in
// memory that a successor of the process takes over as it is. A container's records are found by a
// key made of its namespace, init and init's start time; the least recently used go first.
//
// A record has two copies of its content. An update is written to the one not in use, then one word
// says that this is the current one: a process killed at any moment leaves one whole copy.
type History struct {
	words  []uint64
	cpus   int // CPU numbers a record has room for
	record int // words of a record
	sets   int
	locks  [64]sync.Mutex
}

// The memory's first words.
const (
	hMagic = iota
	hCPUs
	hRecord
	hHeader = 8
)

// historyMagic names the layout. Change it with any change of the words below.
const historyMagic = 0x6c78636673480001 // "lxcfsH", version 1

// A record's own words, then two copies.
const (
	rKey  = iota // 0: free
	rUsed        // time of the last update, nanoseconds since boot
	rSeq         // its lowest bit says which copy is current
	rCopies
)

// A copy's words; then cWords for each CPU.
const (
	cElapsed    = iota // container's age at the last update, nanoseconds
	cSource            // hash of the cgroup that the totals are of
	cUser              // totals last seen, nanoseconds
	cNice              //
	cSystem            //
	cDebt              // CPU time used beyond what had elapsed, to be taken from idle later
	cLoadAt            // when the averages were last advanced, nanoseconds since boot, 0: never
	cLoad              // three averages
	cPerCPU     = cLoad + 3
	pVisible    = 0 // 1: the container sees the CPU
	pUser       = 1 // what its lines show, nanoseconds
	pNice       = 2
	pSystem     = 3
	pIdle       = 4
	pSeenUser   = 5 // totals last seen on this CPU, where the kernel accounts it
	pSeenSystem = 6
	pBusy       = 7 // use since the last update, only during one
	pWords      = 8
)

// ways is how many records a key may be in.
const ways = 8

// StateSize returns how much memory a History needs for n containers on a host that may have the
// given number of CPUs. It takes real memory only as containers ask.
func StateSize(n, cpus int) int {
	sets := (n + ways - 1) / ways
	return 8 * (hHeader + sets*ways*recordWords(cpus))
}

func recordWords(cpus int) int { return rCopies + 2*(cPerCPU+cpus*pWords) }

// newHistory takes over what is in state, unless it is of another layout or host: then it is cleared.
func newHistory(state []byte, cpus int) *History {
	h := &History{cpus: cpus, record: recordWords(cpus)}
	if len(state) < StateSize(ways, cpus) {
		state = make([]byte, StateSize(4096, cpus))
	}
	h.words = unsafe.Slice((*uint64)(unsafe.Pointer(&state[0])), len(state)/8)
	h.sets = (len(h.words) - hHeader) / (h.record * ways)
	if h.words[hMagic] != historyMagic || h.words[hCPUs] != uint64(cpus) || h.words[hRecord] != uint64(h.record) {
		// Fresh memory is 0 and stays untouched: for 512 CPUs it is 270 MB. The magic, which is of another
		// layout, goes last.
		if h.words[hMagic] != 0 {
			clear(h.words[hCPUs:])
		}
		h.words[hCPUs], h.words[hRecord] = uint64(cpus), uint64(h.record)
		h.words[hMagic] = historyMagic
	}
	return h
}

// copyOf is one copy of a record's content.
type copyOf []uint64

func (c copyOf) cpu(n int) []uint64 {
	return c[cPerCPU+n*pWords:][:pWords:pWords]
}

// update finds or makes the record of key and lets fn change its content, which is all 0 at first.
// Updates of one record are one after the other.
func (h *History) update(key uint64, now time.Duration, fn func(c copyOf)) {
	if key == 0 {
		key = 1
	}
	set := int(key % uint64(h.sets))
	lock := &h.locks[set%len(h.locks)]
	lock.Lock()
	defer lock.Unlock()
	r, fresh := h.find(set, key)
	content := r[rCopies:]
	n := len(content) / 2
	current, next := copyOf(content[:n]), copyOf(content[n:])
	if r[rSeq]&1 == 1 {
		current, next = next, current
	}
	if fresh {
		clear(next)
	} else {
		copy(next, current)
	}
	fn(next)
	r[rUsed] = uint64(now)
	atomic.StoreUint64(&r[rSeq], r[rSeq]+1)
	if fresh {
		atomic.StoreUint64(&r[rKey], key)
	}
}

// find returns key's record, or frees the least recently used of the set for it.
func (h *History) find(set int, key uint64) (r []uint64, fresh bool) {
	base := hHeader + set*ways*h.record
	oldest := h.words[base:][:h.record]
	for w := range ways {
		r := h.words[base+w*h.record:][:h.record]
		if r[rKey] == key {
			return r, false
		}
		if r[rKey] == 0 || oldest[rKey] != 0 && r[rUsed] < oldest[rUsed] {
			oldest = r
		}
	}
	atomic.StoreUint64(&oldest[rKey], 0)
	return oldest, true
}
