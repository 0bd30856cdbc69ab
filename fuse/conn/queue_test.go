package conn

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"unsafe"

	"github.com/hanwen/go-fuse/v2/fuse"
)

const (
	abuser = 100 // and above: pids of one flow
	victim = 2
)

// living tells the abusers' flow from others'.
func living(pid uint32) uint64 {
	if pid >= abuser {
		return abuser
	}
	return uint64(pid)
}

func from(pid uint32, op uint32, unique uint64, tail string) []byte {
	b := packet(op, unique, tail)
	(*fuse.InHeader)(unsafe.Pointer(&b[0])).Pid = pid
	return b
}

// held is a handler that answers "held" requests when they are released, and notes the order of the others.
type held struct {
	release chan struct{}
	mu      sync.Mutex
	begun   []uint64
}

func (h *held) handle(in, out []byte) []byte {
	if string(in[headerSize:]) == "held" {
		<-h.release
		return echo(in, out)
	}
	h.mu.Lock()
	h.begun = append(h.begun, (*fuse.InHeader)(unsafe.Pointer(&in[0])).Unique)
	h.mu.Unlock()
	return echo(in, out)
}

// serveCrowd serves a connection on which requests wait already.
func serveCrowd(t *testing.T, h *held, requests ...[]byte) (*State, kernel) {
	t.Helper()
	s := newState(t, 0)
	c, k := connect(t, s, Options{})
	c.Flow = living
	for _, b := range requests {
		k.send(b)
	}
	serve(t, c, k, h.handle, Started)
	return s, k
}

// One container's 64 readers wait for each other, not another one for all of them.
func TestFlowsTakeTurns(t *testing.T) {
	h := &held{}
	var requests [][]byte
	for i := range uint64(64) {
		requests = append(requests, from(abuser+uint32(i), 15, 100+i, "many"))
	}
	requests = append(requests, from(victim, 15, 1, "one"), from(0, opRelease, 2, "closed"))
	_, k := serveCrowd(t, h, requests...)
	for range requests {
		k.answer()
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	// Before there is a crowd, requests are answered as they come.
	at := slices.Index(h.begun, 1)
	if at > crowd+2 {
		t.Errorf("the other's request is the %dth to be answered, want one of the first: %v", at+1, h.begun)
	}
	if i := slices.Index(h.begun, 2); i > crowd {
		t.Errorf("RELEASE is the %dth: %v", i+1, h.begun)
	}
	rest := slices.DeleteFunc(slices.Clone(h.begun), func(u uint64) bool { return u < 100 })
	if !slices.IsSorted(rest) {
		t.Errorf("one flow's requests change places: %v", rest)
	}
}

// Whoever waits for the answer to FLUSH may be in execve(2), where the kernel does not say whose it is until it has the answer.
func TestFlushIsNobodys(t *testing.T) {
	s := newState(t, 0)
	c, k := connect(t, s, Options{})
	var asked sync.Map
	c.Flow = func(pid uint32) uint64 {
		asked.Store(pid, true)
		return uint64(pid)
	}
	for i := range uint64(2 * crowd) {
		k.send(from(victim, opOpen, i+1, "one"))
	}
	k.send(from(abuser, opFlush, 100, "closed"))
	serve(t, c, k, (&held{}).handle, Started)
	for range 2*crowd + 1 {
		k.answer()
	}
	if _, ok := asked.Load(uint32(victim)); !ok {
		t.Error("there was no crowd")
	}
	if _, ok := asked.Load(uint32(abuser)); ok {
		t.Error("it was asked whose FLUSH is")
	}
}

// A flow whose readers are all stuck in slow files delays no other, and what of its waits is begun when one is done.
func TestStuckFlowDelaysOnlyItself(t *testing.T) {
	h := &held{release: make(chan struct{})}
	s, k := serveCrowd(t, h)
	const stuck = 3 * maxBusy
	for i := range uint64(stuck) {
		k.send(from(abuser+uint32(i), 15, 100+i, "held"))
	}
	for i := range uint64(50) {
		k.send(from(victim, 15, i+1, "one"))
		if a, _ := k.answer(); a.Unique != i+1 {
			t.Fatalf("got reply %d while waiting for %d", a.Unique, i+1)
		}
	}
	if n := s.Pending(); n < stuck {
		t.Errorf("%d requests are in their slots, want %d: a successor could not answer them", n, stuck)
	}
	for range stuck {
		h.release <- struct{}{}
		k.answer()
	}
}

// Stop answers what waits.
func TestStopAnswersTheQueue(t *testing.T) {
	h := &held{release: make(chan struct{})}
	s := newState(t, 0)
	c, k := connect(t, s, Options{})
	c.Flow = living
	done := make(chan error, 1)
	go func() { done <- c.Serve(h.handle, Started) }()
	const stuck = 2*maxBusy + 1
	for i := range uint64(stuck) {
		k.send(from(abuser, 15, 100+i, "held"))
	}
	k.send(from(victim, 15, 1, "one"))
	k.answer() // so the others have been read
	c.Stop()
	close(h.release)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	for range stuck {
		k.answer()
	}
	if n := s.Pending(); n != 0 {
		t.Errorf("%d requests left", n)
	}
}

// More requests than there are slots, all of one flow that is stuck: nothing is lost.
func TestMoreRequestsThanSlots(t *testing.T) {
	h := &held{release: make(chan struct{})}
	_, k := serveCrowd(t, h)
	const all = Slots + 20
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		for i := range uint64(all) {
			k.send(from(abuser, 15, i, "held"))
		}
	}()
	seen := map[uint64]bool{}
	for range all {
		h.release <- struct{}{}
		a, _ := k.answer()
		seen[a.Unique] = true
	}
	<-sent
	if len(seen) != all {
		t.Errorf("%d requests answered, want %d", len(seen), all)
	}
}

func TestQueueDoesNotAllocate(t *testing.T) {
	q := queue{known: map[uint64]*flow{}}
	var order []string
	round := func() {
		order = order[:0]
		for slot := range 6 {
			q.push(slot, uint64(slot%2))
		}
		for q.ready() {
			_, h, _ := q.pop()
			q.done(h)
		}
	}
	round()
	if n := testing.AllocsPerRun(100, round); n != 0 {
		t.Errorf("a round allocates %v times, want 0", n)
	}
	if len(q.known) != 0 {
		t.Errorf("%d flows remembered, want none", len(q.known))
	}
}

func TestQueueOrder(t *testing.T) {
	q := queue{known: map[uint64]*flow{}}
	for slot, key := range []uint64{7, 7, 7, 8, 9, 8} {
		q.push(slot, key)
	}
	q.urgent = append(q.urgent, 6)
	var got []string
	for q.ready() {
		slot, h, _ := q.pop()
		got = append(got, fmt.Sprint(slot))
		q.done(h)
	}
	if want := []string{"6", "0", "3", "4", "1", "5", "2"}; !slices.Equal(got, want) {
		t.Errorf("popped %v, want %v", got, want)
	}
}

func TestKeysAreAskedOnce(t *testing.T) {
	asked := 0
	k := keys{of: func(pid uint32) uint64 { asked++; return uint64(pid) + 1 }}
	for range 10 {
		if got := k.key(5); got != 6 {
			t.Errorf("key(5) = %d, want 6", got)
		}
	}
	if k.key(5+256) != 5+256+1 || k.key(5) != 6 || asked != 3 {
		t.Errorf("%d questions, want 3: once, and again after another pid in the same place", asked)
	}
	for range keysKept {
		k.key(5)
	}
	if k.key(5); asked != 4 {
		t.Errorf("%d questions, want 4: an answer is kept for %d questions", asked, keysKept)
	}
	var alone keys
	if alone.key(3) != 3 {
		t.Error("without an answer not everybody lives alone")
	}
}
