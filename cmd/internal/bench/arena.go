package bench

import (
	"fmt"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	maxLanes   = 256
	maxFiles   = 16
	maxPath    = 200
	sampleSize = 512
	anyCPU     = -1
)

// lane is one request in flight, as the coordinator orders it and the client
// whose turn it is answers. It lives in shared memory and holds no pointers.
type lane struct {
	stop, done uint32 // set by the coordinator; set by the last client

	form     Form
	files    uint32
	ring     uint64 // clients this lane walks through
	cpu      int64  // where its clients run, or anyCPU
	interval int64  // ns to sleep before each operation
	left     uint64 // operations left to do; unlimited is a large number
	hollow   uint64 // bit n: the n-th file may be empty
	path     [maxFiles][maxPath]byte

	started, ended int64 // ns of CLOCK_MONOTONIC
	clientCPU      int64 // ns
	ops, errors    uint64
	errno          uint64 // of the first error
	bytes          uint64 // length of the last content read
	sample         [sampleSize]byte
	latency        Histogram
}

// client is one reader process's mailbox.
type client struct {
	turn uint32 // futex: how many turns this client has yet to take
	lane uint32
	next uint32 // who has the turn after it
	_    [13]uint32
}

// arena is the memory that the coordinator shares with all clients.
type arena struct {
	mem     []byte
	lanes   *[maxLanes]lane
	clients []client

	mu   sync.Mutex
	used [maxLanes]bool
}

func newArena(clients int) (*arena, error) {
	lanes := unsafe.Sizeof([maxLanes]lane{})
	size := int(lanes) + clients*int(unsafe.Sizeof(client{}))
	mem, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_ANONYMOUS)
	if err != nil {
		return nil, fmt.Errorf("shared memory, %d bytes: %w", size, err)
	}
	return &arena{
		mem:     mem,
		lanes:   (*[maxLanes]lane)(unsafe.Pointer(&mem[0])),
		clients: unsafe.Slice((*client)(unsafe.Pointer(&mem[lanes])), clients),
	}, nil
}

func (a *arena) close() error { return unix.Munmap(a.mem) }

// take reserves n lanes and clears them.
func (a *arena) take(n int) ([]uint32, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	var got []uint32
	for i := range a.used {
		if len(got) == n {
			break
		}
		if !a.used[i] {
			got = append(got, uint32(i))
		}
	}
	if len(got) < n {
		return nil, fmt.Errorf("%d requests in flight: %d are free", n, len(got))
	}
	for _, i := range got {
		a.used[i] = true
		a.lanes[i] = lane{}
	}
	return got, nil
}

func (a *arena) give(lanes []uint32) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, i := range lanes {
		a.used[i] = false
	}
}
