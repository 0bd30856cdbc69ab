package conn

import (
	"bytes"
	"log/slog"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// kernel is the other side of a connection over a packet socket.
type kernel struct {
	t  *testing.T
	fd int
}

// connect returns a connection over a socket, with state, and its kernel.
func connect(t *testing.T, state *State, o Options) (*Conn, kernel) {
	t.Helper()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	c, err := newConn(pair[0], state, o)
	if err != nil {
		t.Fatal(err)
	}
	c.dir = "a socket" // as if we had mounted: nothing was lost
	tv := unix.Timeval{Sec: 10}
	unix.SetsockoptTimeval(pair[1], unix.SOL_SOCKET, unix.SO_RCVTIMEO, &tv)
	t.Cleanup(func() { unix.Close(pair[0]) })
	return c, kernel{t, pair[1]}
}

// serve serves c until the test ends.
func serve(t *testing.T, c *Conn, k kernel, h Handle, cause Cause) {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- c.Serve(h, cause) }()
	t.Cleanup(func() {
		unix.Close(k.fd)
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
}

func packet(op uint32, unique uint64, tail string) []byte {
	h := fuse.InHeader{Length: uint32(headerSize + len(tail)), Opcode: op, Unique: unique}
	return append(bytes.Clone(unsafe.Slice((*byte)(unsafe.Pointer(&h)), headerSize)), tail...)
}

func (k kernel) send(b []byte) {
	k.t.Helper()
	if err := unix.Send(k.fd, b, 0); err != nil {
		k.t.Fatal(err)
	}
}

// answer returns the next reply's header and body.
func (k kernel) answer() (fuse.OutHeader, string) {
	k.t.Helper()
	b := make([]byte, 1<<16)
	n, _, err := unix.Recvfrom(k.fd, b, 0)
	for err == unix.EINTR {
		n, _, err = unix.Recvfrom(k.fd, b, 0)
	}
	if err != nil || n < outHeaderSize {
		k.t.Fatalf("reply of %d bytes, %v", n, err)
	}
	return *(*fuse.OutHeader)(unsafe.Pointer(&b[0])), string(b[outHeaderSize:n])
}

func newState(t *testing.T, history int) *State {
	t.Helper()
	s, err := NewState(history)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func echo(in, out []byte) []byte { return Reply(in, out, in[headerSize:]) }

func TestServeAnswers(t *testing.T) {
	s := newState(t, 0)
	c, k := connect(t, s, Options{})
	serve(t, c, k, echo, Started)
	for i := range uint64(100) {
		k.send(packet(15, i+1, "hello"))
		if h, b := k.answer(); h.Unique != i+1 || h.Status != 0 || b != "hello" {
			t.Fatalf("request %d is answered %+v %q", i+1, h, b)
		}
	}
	if n := s.Pending(); n > 1 { // the last may not be marked yet
		t.Errorf("%d requests pending after their replies", n)
	}
}

func TestSlowRequestDelaysOnlyItself(t *testing.T) {
	c, k := connect(t, newState(t, 0), Options{})
	release := make(chan struct{})
	serve(t, c, k, func(in, out []byte) []byte {
		if string(in[headerSize:]) == "slow" {
			<-release
		}
		return echo(in, out)
	}, Started)
	for i := range uint64(10) {
		k.send(packet(15, 100+i, "slow"))
	}
	for i := range uint64(50) {
		k.send(packet(15, i+1, "fast"))
		if h, b := k.answer(); h.Unique != i+1 || b != "fast" {
			t.Fatalf("got reply %d %q while waiting for %d", h.Unique, b, i+1)
		}
	}
	close(release)
	var slow []uint64
	for range 10 {
		h, _ := k.answer()
		slow = append(slow, h.Unique)
	}
	slices.Sort(slow)
	if want := []uint64{100, 101, 102, 103, 104, 105, 106, 107, 108, 109}; !slices.Equal(slow, want) {
		t.Errorf("slow requests answered: %v, want %v", slow, want)
	}
}

func TestPanicIsAnsweredEIO(t *testing.T) {
	var log logBuffer
	c, k := connect(t, newState(t, 0), Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
	serve(t, c, k, func(in, out []byte) []byte {
		if in[headerSize] == 'p' {
			panic("oh")
		}
		return echo(in, out)
	}, Started)
	for i := range uint64(3) {
		k.send(packet(15, 2*i+1, "panic"))
		if h, _ := k.answer(); h.Status != -eio {
			t.Errorf("a panic is answered %d, want EIO", h.Status)
		}
		k.send(packet(15, 2*i+2, "fine"))
		if h, b := k.answer(); h.Status != 0 || b != "fine" {
			t.Errorf("after a panic: %+v %q", h, b)
		}
	}
	if c.Panics() != 3 || strings.Count(log.String(), "panic while answering") != 1 {
		t.Errorf("%d panics counted, want 3; logged:\n%s want once a second", c.Panics(), log.String())
	}
}

func TestInterruptIsDropped(t *testing.T) {
	c, k := connect(t, newState(t, 0), Options{})
	serve(t, c, k, echo, Started)
	k.send(packet(opInterrupt, 1, "12345678"))
	k.send(packet(15, 2, "x"))
	if h, _ := k.answer(); h.Unique != 2 {
		t.Errorf("INTERRUPT was answered: %+v", h)
	}
}

func TestStopLosesNothing(t *testing.T) {
	s := newState(t, 0)
	c, k := connect(t, s, Options{})
	begun, release := make(chan struct{}), make(chan struct{})
	done := make(chan error, 1)
	go func() {
		done <- c.Serve(func(in, out []byte) []byte {
			if string(in[headerSize:]) == "in work" {
				close(begun)
				<-release
			}
			return echo(in, out)
		}, Started)
	}()
	k.send(packet(15, 1, "in work"))
	<-begun
	c.Stop()
	k.send(packet(15, 2, "after")) // the one that stops or the next one answers it
	close(release)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	next, err := newConn(c.fd, s, Options{})
	if err != nil {
		t.Fatal(err)
	}
	serve(t, next, k, echo, Killed)
	seen := map[uint64]string{}
	for range 2 {
		h, b := k.answer()
		seen[h.Unique] = b
	}
	if seen[1] != "in work" || seen[2] != "after" {
		t.Errorf("answered around Stop: %v", seen)
	}
}

func TestServeDoesNotAllocate(t *testing.T) {
	c, k := connect(t, newState(t, 0), Options{})
	serve(t, c, k, echo, Started)
	in, out := packet(15, 1, "x"), make([]byte, 100)
	round := func() {
		syscall.Write(k.fd, in)
		for {
			if _, err := syscall.Read(k.fd, out); err == nil {
				return
			}
		}
	}
	for range 10 {
		round()
	}
	if n := testing.AllocsPerRun(200, round); n != 0 {
		t.Errorf("a request allocates %v times, want 0", n)
	}
}

func TestNamesAreBounded(t *testing.T) {
	s := newState(t, 0)
	n := 0
	for s.AddName(strings.Repeat("x", 100), 1) {
		n++
	}
	count := 0
	for range s.Names {
		count++
	}
	if n == 0 || count != n {
		t.Errorf("%d names added, %d found", n, count)
	}
}

func TestTimeoutsAreReported(t *testing.T) {
	files := map[string]string{"/proc/sys/fs/fuse/default_request_timeout": "0\n", "/proc/sys/fs/fuse/max_request_timeout": "60\n"}
	read := func(name string) ([]byte, error) { return []byte(files[name]), nil }
	if got := timeouts(read); !slices.Equal(got, []string{"fs.fuse.max_request_timeout=60"}) {
		t.Errorf("timeouts = %q", got)
	}
	none := func(string) ([]byte, error) { return nil, unix.ENOENT }
	if got := timeouts(none); got != nil {
		t.Errorf("timeouts of an older kernel = %q", got)
	}
}

func TestForget(t *testing.T) {
	c, k := connect(t, newState(t, 0), Options{})
	if err := c.Forget(77, "meminfo"); err != nil {
		t.Fatal(err)
	}
	h, b := k.answer()
	in := (*fuse.NotifyInvalEntryOut)(unsafe.Pointer(unsafe.StringData(b)))
	if h.Unique != 0 || h.Status != -fuse.NOTIFY_INVAL_ENTRY || in.Parent != 77 || in.NameLen != 7 || b[16:] != "meminfo\x00" {
		t.Errorf("notification %+v %+v %q", h, in, b)
	}
	unix.Close(k.fd)
}

func TestLimiter(t *testing.T) {
	var l limiter
	if !l.allow() || l.allow() {
		t.Error("not exactly one record a second is allowed")
	}
	l.next = time.Now().Add(-time.Millisecond)
	if !l.allow() {
		t.Error("nothing is allowed a second later")
	}
}
