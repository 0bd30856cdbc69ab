package conn

import (
	"errors"
	"fmt"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The layout of the state, version Layout. Every word is in the machine's byte order: the state never leaves it.
//
//	page 0        header (below)
//	page 1        the recorded INIT request at 0, the recorded reply at 2048
//	recordsOff    one record of slotRecord bytes for each slot
//	namesOff      names: paths that were looked up, for a successor and for the minimal mode
//	doneOff       doneFiles words: open files whose reader has got everything, see Done
//	slotsOff      Slots slots of SlotSize bytes: the requests read and not answered yet
//	historyOff    the caller's own bytes
const (
	// Layout is the version of the state's layout. A worker does not touch a state of another version.
	Layout = 2
	// Slots is the number of requests that can be waiting or in work at the same time.
	Slots = 256
	// SlotSize is what the kernel demands of a read buffer: max(8192, 80 + max_write), fs/fuse/dev.c.
	SlotSize = 8192

	magic      = 0x0073_6663_786c // "lxcfs"
	recordsOff = 2 * pageSize
	namesOff   = recordsOff + Slots*slotRecord
	namesSize  = 32 * pageSize
	doneOff    = namesOff + namesSize
	doneFiles  = 1 << 14
	slotsOff   = doneOff + 8*doneFiles
	historyOff = slotsOff + Slots*SlotSize
	pageSize   = 4096

	offMagic      = 0
	offLayout     = 8
	offHistory    = 16 // size of the history
	offGeneration = 24
	offInit       = 32 // length of the INIT request; set last, so non-zero means the record is whole
	offReply      = 40 // length of the INIT reply
	offNames      = 48 // bytes of names in use
	offWorker     = 56 // pid of the worker, and when it started: see SetWorker
	offStart      = 64
	slotRecord    = 16 // how often the worker of the slot's request crashed, and was killed
	offInitReply  = pageSize + 2048
)

// ErrLayout says that a state was written by a release with another layout.
var ErrLayout = errors.New("state of another layout version")

// State is the memory that outlives a worker: what the kernel and we agreed on (INIT), which requests were read and not
// answered, and the caller's history. It is a memfd (memfd_create(2)) that the holder or systemd keeps open.
type State struct {
	fd  int
	mem []byte
}

// NewState makes an empty state with history bytes for the caller. Where the kernel refuses a memfd it is a
// nameless file in /dev/shm, and failing that memory that dies with the process; FD is -1 then.
func NewState(history int) (*State, error) {
	size := historyOff + (history+pageSize-1)/pageSize*pageSize
	fd, err := unix.MemfdCreate("lxcfs-state", unix.MFD_CLOEXEC)
	if err != nil { // before Linux 3.17, or a seccomp profile
		fd, err = unix.Open("/dev/shm", unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, 0o600)
	}
	if err != nil {
		return anonymousState(size, history)
	}
	if err := unix.Ftruncate(fd, int64(size)); err != nil {
		unix.Close(fd)
		return anonymousState(size, history)
	}
	s, err := mapState(fd, size)
	if err != nil {
		unix.Close(fd)
		return anonymousState(size, history)
	}
	s.format(history)
	return s, nil
}

func anonymousState(size, history int) (*State, error) {
	mem, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		return nil, fmt.Errorf("state of %d bytes: %w", size, err)
	}
	s := &State{fd: -1, mem: mem}
	s.format(history)
	return s, nil
}

// OpenState maps the state behind fd. It returns ErrLayout, and no state, when another layout is in it.
func OpenState(fd int) (*State, error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, fmt.Errorf("state fd %d: %w", fd, err)
	}
	if st.Size < historyOff {
		return nil, fmt.Errorf("state fd %d of %d bytes: %w", fd, st.Size, ErrLayout)
	}
	s, err := mapState(fd, int(st.Size))
	if err != nil {
		return nil, err
	}
	if *s.u64(offMagic) != magic || *s.u64(offLayout) != Layout || int64(*s.u64(offHistory)) > st.Size-historyOff {
		found := *s.u64(offLayout)
		unix.Munmap(s.mem)
		return nil, fmt.Errorf("state fd %d has layout %d, this program %d: %w", fd, found, Layout, ErrLayout)
	}
	return s, nil
}

func mapState(fd, size int) (*State, error) {
	mem, err := unix.Mmap(fd, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("state of %d bytes: %w", size, err)
	}
	return &State{fd: fd, mem: mem}, nil
}

func (s *State) format(history int) {
	*s.u64(offHistory) = uint64(history)
	*s.u64(offLayout) = Layout
	*s.u64(offMagic) = magic
}

// FD returns the file descriptor of the memory, or -1 when it does not outlive the process.
func (s *State) FD() int { return s.fd }

// History returns the caller's bytes: zero at first, then whatever any generation wrote.
func (s *State) History() []byte {
	n := int(*s.u64(offHistory))
	return s.mem[historyOff : historyOff+n : historyOff+n]
}

// touch makes the slots present: a page that must be faulted in while SIGKILL is pending makes the kernel answer EIO to
// the client instead of handing us the request.
func (s *State) touch() {
	for off := slotsOff; off < historyOff; off += pageSize {
		atomic.AddUint64(s.u64(off), 0)
	}
}

// Lock keeps the slots in memory against swap, see touch. It may fail for want of RLIMIT_MEMLOCK.
func (s *State) Lock() error {
	if err := unix.Mlock(s.mem[slotsOff:historyOff]); err != nil {
		return fmt.Errorf("mlock of %d bytes of state: %w", historyOff-slotsOff, err)
	}
	return nil
}

// Generation returns the number of workers that have served from this state.
func (s *State) Generation() uint64 { return atomic.LoadUint64(s.u64(offGeneration)) }

// SetWorker records which process serves, by its pid and its start time in clock ticks (field 22 of /proc/PID/stat), for
// a holder that did not start it.
func (s *State) SetWorker(pid int, start uint64) {
	*s.u64(offWorker), *s.u64(offStart) = uint64(pid), start
}

// Worker returns what SetWorker recorded; pid is 0 if nothing was.
func (s *State) Worker() (pid int, start uint64) { return int(*s.u64(offWorker)), *s.u64(offStart) }

func (s *State) nextGeneration() uint64 { return atomic.AddUint64(s.u64(offGeneration), 1) }

// Inited reports whether the kernel's INIT has been recorded.
func (s *State) Inited() bool { return atomic.LoadUint64(s.u64(offInit)) != 0 }

// Init returns the recorded INIT request and its reply, or nil.
func (s *State) Init() (req, reply []byte) {
	n := atomic.LoadUint64(s.u64(offInit))
	if n == 0 || n > 2048 {
		return nil, nil
	}
	m := min(*s.u64(offReply), 2048)
	return s.mem[pageSize : pageSize+n], s.mem[offInitReply : offInitReply+m]
}

// recordInit keeps what was negotiated. The request's length is stored last: it makes the record valid.
func (s *State) recordInit(req, reply []byte) {
	copy(s.mem[pageSize:offInitReply], req)
	copy(s.mem[offInitReply:2*pageSize], reply)
	*s.u64(offReply) = uint64(len(reply))
	atomic.StoreUint64(s.u64(offInit), uint64(min(len(req), 2048)))
}

// slot returns the memory of slot i.
func (s *State) slot(i int) []byte {
	off := slotsOff + i*SlotSize
	return s.mem[off : off+SlotSize : off+SlotSize]
}

// pending returns the length of the request in slot i, 0 when there is none. It is the first word of fuse_in_header,
// which the kernel writes with the request: there is no moment at which a request read is not recorded.
func (s *State) pending(i int) int {
	n := atomic.LoadUint32((*uint32)(unsafe.Pointer(&s.slot(i)[0])))
	if n < uint32(headerSize) || n > SlotSize {
		return 0
	}
	return int(n)
}

// answered empties slot i.
func (s *State) answered(i int) {
	atomic.StoreUint32((*uint32)(unsafe.Pointer(&s.slot(i)[0])), 0)
	r := s.record(i)
	if r[0]|r[1] != 0 {
		r[0], r[1] = 0, 0
	}
}

// record returns the counters of slot i: how often its request's worker crashed, and was killed.
func (s *State) record(i int) *[2]uint64 {
	return (*[2]uint64)(unsafe.Pointer(&s.mem[recordsOff+i*slotRecord]))
}

// begin counts that the worker of the request in slot i ended for cause, and returns the counters. It is counted before the
// request is begun again: if that kills us, the successor must know.
func (s *State) begin(i int, cause Cause) *[2]uint64 {
	r := s.record(i)
	if cause == Crashed {
		r[0]++
	} else {
		r[1]++
	}
	return r
}

// Pending returns the number of requests read and not answered.
func (s *State) Pending() int {
	n := 0
	for i := range Slots {
		if s.pending(i) > 0 {
			n++
		}
	}
	return n
}

func (s *State) u64(off int) *uint64 { return (*uint64)(unsafe.Pointer(&s.mem[off])) }

// Release unmaps the state and leaves its descriptor open, for who only keeps it.
func (s *State) Release() error {
	err := unix.Munmap(s.mem)
	s.mem = nil
	return err
}

// Close unmaps the state and closes its descriptor.
func (s *State) Close() error {
	err := unix.Munmap(s.mem)
	if s.fd >= 0 {
		err = errors.Join(err, unix.Close(s.fd))
	}
	s.mem = nil
	return err
}
