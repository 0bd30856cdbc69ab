//go:build integration

package conformance

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"lxcfs/scripts/testbed"
)

const maxActors = 64

// arena is the memory that the test shares with all actors, and the thread that forks them: the parent whose death kills them
// (PR_SET_PDEATHSIG) is a thread, not a process.
type arena struct {
	boxes   *[maxActors]mailbox
	scratch *[scratch]byte
	zero    [16]byte
	used    [maxActors]bool
	spent   time.Duration // by actors that are no more, on orders
	work    chan func()
}

func newArena() (*arena, error) {
	size := (int(unsafe.Sizeof([maxActors]mailbox{})) + page - 1) / page * page
	mem, err := unix.Mmap(-1, 0, size+scratch, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_ANONYMOUS)
	if err != nil {
		return nil, fmt.Errorf("shared memory: %w", err)
	}
	for i := 0; i < len(mem); i += page {
		mem[i] = 1 // charged here, not to the first actor who looks
		mem[i] = 0
	}
	a := &arena{
		boxes:   (*[maxActors]mailbox)(unsafe.Pointer(&mem[0])),
		scratch: (*[scratch]byte)(unsafe.Pointer(&mem[size])),
		work:    make(chan func()),
	}
	copy(a.zero[:], "/dev/zero")
	go func() {
		runtime.LockOSThread()
		_ = first(0, unix.SCHED_FLAG_RESET_ON_FORK) // this thread forks; what is forked is like any process
		for work := range a.work {
			work()
		}
	}()
	return a, nil
}

// actor is a forked process.
type actor struct {
	arena *arena
	index int
	pid   int
	block int // its child while it is in state D
}

func (a *actor) box() *mailbox { return &a.arena.boxes[a.index] }

// fork starts an actor in the pid namespace of process in (0: the test's), or as the first of a new one below that.
func (a *arena) fork(in int, newNS bool) (*actor, error) {
	index := slices.Index(a.used[:], false)
	if index < 0 {
		return nil, fmt.Errorf("more than %d processes", maxActors)
	}
	a.spent += time.Duration(a.boxes[index].cost)
	a.boxes[index] = mailbox{}
	a.used[index] = true
	pid, err := 0, error(nil)
	if in > 0 && newNS {
		pid, err = a.nest(index, in)
	} else {
		done := make(chan error)
		a.work <- func() {
			var err error
			pid, err = a.forkBelow(index, in, newNS)
			done <- err
		}
		err = <-done
	}
	if err != nil {
		a.used[index] = false
		return nil, err
	}
	return &actor{arena: a, index: index, pid: pid}, nil
}

// nest forks the first actor of a pid namespace below that of process in. Only who is in a namespace can make one below it,
// and its own first process cannot hand its children to the test: another one, forked for that, does.
func (a *arena) nest(index, in int) (int, error) {
	inside, err := a.fork(in, false)
	if err != nil {
		return 0, err
	}
	before, err := children()
	if err != nil {
		return 0, err
	}
	err = inside.tell(orderNest, func(b *mailbox) { b.size = int64(index) })
	after, err2 := children()
	if err := errors.Join(err, err2, inside.kill()); err != nil {
		return 0, err
	}
	err = testbed.Await("end of a process", testbed.Patience(2*time.Second), inside.ended)
	for _, pid := range after {
		if !slices.Contains(before, pid) {
			return pid, err
		}
	}
	return 0, fmt.Errorf("nested pid namespace: no new process (%w)", err)
}

// children are the pids of all children of this process.
func children() ([]int, error) {
	lists, err := filepath.Glob("/proc/self/task/*/children")
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, list := range lists {
		text, _ := os.ReadFile(list) // a thread may have ended
		for word := range strings.FieldsSeq(string(text)) {
			pid, err := strconv.Atoi(word)
			if err != nil {
				return nil, err
			}
			pids = append(pids, pid)
		}
	}
	return pids, nil
}

func (a *arena) forkBelow(index, in int, newNS bool) (int, error) {
	if in > 0 {
		ours, err := os.Open("/proc/thread-self/ns/pid")
		if err != nil {
			return 0, err
		}
		defer ours.Close()
		theirs, err := os.Open(fmt.Sprintf("/proc/%d/ns/pid", in))
		if err != nil {
			return 0, err
		}
		defer theirs.Close()
		if err := unix.Setns(int(theirs.Fd()), unix.CLONE_NEWPID); err != nil {
			return 0, fmt.Errorf("pid namespace of %d: %w", in, err)
		}
		defer func() {
			if err := unix.Setns(int(ours.Fd()), unix.CLONE_NEWPID); err != nil {
				panic(err) // every process forked from here on would be in the wrong namespace
			}
		}()
	}
	flags := uintptr(unix.SIGCHLD)
	if newNS {
		flags |= unix.CLONE_NEWPID
	}
	// The child must never enter the runtime, not even for a signal.
	var all, before unix.Sigset_t
	for i := range all.Val {
		all.Val[i] = ^uint64(0)
	}
	if err := unix.PthreadSigmask(unix.SIG_SETMASK, &all, &before); err != nil {
		return 0, fmt.Errorf("signal mask: %w", err)
	}
	pid, errno := a.clone(index, flags)
	if err := unix.PthreadSigmask(unix.SIG_SETMASK, &before, nil); err != nil {
		return 0, fmt.Errorf("signal mask: %w", err)
	}
	if errno != 0 {
		return 0, fmt.Errorf("clone: %w", errno)
	}
	return pid, nil
}

//go:noinline
//go:nosplit
//go:norace
func (a *arena) clone(index int, flags uintptr) (int, unix.Errno) {
	pid, _, errno := unix.RawSyscall6(unix.SYS_CLONE, flags, 0, 0, 0, 0, 0)
	if pid == 0 && errno == 0 {
		a.live(index)
	}
	return int(pid), errno
}

// cost is the CPU time that orders have taken so far: what a fake's verbs do not.
func (a *arena) cost() time.Duration {
	sum := a.spent
	for i := range a.boxes {
		sum += time.Duration(max(0, a.boxes[i].cost))
	}
	return sum
}

// give has the actor begin to carry out an order that prepare wrote into its mailbox.
func (a *actor) give(order uint32, prepare func(b *mailbox)) {
	b := a.box()
	if prepare != nil {
		prepare(b)
	}
	b.order, b.errno = order, 0
	atomic.AddUint32(&b.orders, 1)
	unix.Syscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(&b.orders)), 1 /* FUTEX_WAKE */, 1, 0, 0, 0)
}

var errKilled = errors.New("killed for lack of memory")

// tell gives an order and waits until it has been carried out. An actor that dies meanwhile was killed by the kernel, which is
// errKilled and ENOMEM.
func (a *actor) tell(order uint32, prepare func(b *mailbox)) error {
	a.give(order, prepare)
	b := a.box()
	pid := a.pid
	for end := time.Now().Add(testbed.Patience(10 * time.Second)); atomic.LoadUint32(&b.done) != b.orders; time.Sleep(time.Millisecond) {
		if a.ended() {
			return fmt.Errorf("process %d: %w: %w", pid, errKilled, syscall.ENOMEM)
		}
		if time.Now().After(end) {
			return fmt.Errorf("process %d: order %d not carried out", pid, order)
		}
	}
	if b.errno != 0 {
		return fmt.Errorf("process %d: %w", pid, syscall.Errno(b.errno))
	}
	return nil
}

// ended reports, and reaps, an actor that is no more.
func (a *actor) ended() bool {
	if a.pid == 0 {
		return true
	}
	var usage unix.Rusage
	pid, err := unix.Wait4(a.pid, nil, unix.WNOHANG, &usage)
	if pid == a.pid || err == unix.ECHILD {
		if b := a.box(); b.cost < 0 { // killed while it carried out an order
			b.cost = max(0, usage.Utime.Nano()+usage.Stime.Nano()-b.burnt[0]-b.burnt[1])
		}
		a.forget()
		return true
	}
	return false
}

func (a *actor) forget() { a.pid, a.arena.used[a.index] = 0, false }

// kill ends the actor; it is reaped later: the first process of a pid namespace ends when all others of it are.
func (a *actor) kill() error {
	if a.ended() {
		return nil
	}
	a.unblock()
	if err := unix.Kill(a.pid, unix.SIGKILL); err != nil {
		return fmt.Errorf("kill %d: %w", a.pid, err)
	}
	return nil
}

func (a *actor) unblock() {
	if a.block > 0 {
		_ = unix.Kill(a.block, unix.SIGKILL)
		a.block = 0
	}
}

// hurry lets the test's threads, and those they will start, go before what it has set in motion: in a real-time class, since a
// thread of nice -20 may wait for half a second beside a busy one of nice 0 (Linux 6.18), more than its share behind.
func hurry() error {
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return err
	}
	for _, t := range tasks {
		tid, err := strconv.Atoi(t.Name())
		if err != nil {
			return err
		}
		_ = first(tid, 0) // a thread may have ended
	}
	return nil
}

// first puts a thread, 0 for the calling one, before all others.
func first(tid int, flags uint64) error {
	return unix.SchedSetAttr(tid, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_FIFO, Priority: 1, Flags: flags}, 0)
}

func setText(b *mailbox, s string) {
	n := copy(b.text[:len(b.text)-1], s)
	b.text[n] = 0
}
