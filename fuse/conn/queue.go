package conn

import (
	"slices"
	"unsafe"

	"github.com/hanwen/go-fuse/v2/fuse"
)

// maxBusy is how many requests of one flow are answered at the same time, while others of its wait. As many readers
// may be stuck in a kernel file that does not come to an end.
const maxBusy = 16

// flow is the requests of callers who share one turn: those in one pid namespace.
type flow struct {
	key   uint64
	slots []int // of its waiting requests, in order of arrival
	busy  int   // requests begun and not answered
}

// queue holds the requests that were read while others waited to be answered. Flows take turns, so that a caller
// waits for one request of each other flow, not for all of theirs. It allocates nothing once it has been as long.
type queue struct {
	urgent []int   // slots of requests nobody waits for, and that free something
	ring   []*flow // those with waiting requests, in the order of their turns
	known  map[uint64]*flow
	spare  []*flow
}

// push adds the request in slot, of the flow key.
func (q *queue) push(slot int, key uint64) {
	h := q.known[key]
	if h == nil {
		if n := len(q.spare); n > 0 {
			h, q.spare = q.spare[n-1], q.spare[:n-1]
		} else {
			h = new(flow)
		}
		h.key = key
		q.known[key] = h
	}
	if len(h.slots) == 0 {
		q.ring = append(q.ring, h)
	}
	h.slots = append(h.slots, slot)
}

// pop returns the request whose turn it is, and its flow, nil for an urgent one. The caller owes a done.
func (q *queue) pop() (slot int, h *flow, ok bool) {
	if len(q.urgent) > 0 {
		slot = q.urgent[0]
		q.urgent = slices.Delete(q.urgent, 0, 1)
		return slot, nil, true
	}
	for i, h := range q.ring {
		if h.busy >= maxBusy {
			continue
		}
		slot = h.slots[0]
		h.slots = slices.Delete(h.slots, 0, 1)
		h.busy++
		q.ring = slices.Delete(q.ring, i, i+1)
		if len(h.slots) > 0 {
			q.ring = append(q.ring, h)
		}
		return slot, h, true
	}
	return 0, nil, false
}

// ready reports whether pop has something.
func (q *queue) ready() bool {
	return len(q.urgent) > 0 || slices.ContainsFunc(q.ring, func(h *flow) bool { return h.busy < maxBusy })
}

// done says that a request of h was answered.
func (q *queue) done(h *flow) {
	if h == nil {
		return
	}
	if h.busy--; h.busy == 0 && len(h.slots) == 0 {
		delete(q.known, h.key)
		q.spare = append(q.spare, h)
	}
}

// keys remembers who lives where. Only the order of answers depends on it, so that a pid which changed hands lately does
// no harm.
type keys struct {
	of     func(pid uint32) uint64 // nil: everybody lives alone
	asked  uint32
	recent [256]struct {
		pid, at uint32
		key     uint64
	}
}

// keysKept is for how many questions an answer is remembered.
const keysKept = 4096

func (k *keys) key(pid uint32) uint64 {
	if k.of == nil {
		return uint64(pid)
	}
	k.asked++
	e := &k.recent[pid%uint32(len(k.recent))]
	if e.pid != pid || e.at == 0 || k.asked-e.at > keysKept {
		e.pid, e.at, e.key = pid, k.asked, k.of(pid)
	}
	return e.key
}

// urgent reports whether nobody waits for the answer to in, which may come without a caller's pid, or whether nothing
// may be asked about who waits: FLUSH, which Linux before 5.16 sends once for a connection, comes from a process in
// execve(2) too. That holds its exec_update_lock until it is answered, and /proc/PID/ns/pid waits for the lock.
func urgent(in []byte) bool {
	if len(in) < headerSize {
		return true
	}
	switch (*fuse.InHeader)(unsafe.Pointer(unsafe.SliceData(in))).Opcode {
	case opForget, opBatchForget, opRelease, opReleasedir, opInterrupt, opInit, opFlush:
		return true
	}
	return false
}
