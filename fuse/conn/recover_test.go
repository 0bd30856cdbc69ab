package conn

import (
	"bytes"
	"encoding/binary"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"unsafe"

	"github.com/hanwen/go-fuse/v2/fuse"
)

func initPacket(unique uint64, minor uint32) []byte {
	b := packet(opInit, unique, strings.Repeat("\x00", 64))
	binary.NativeEndian.PutUint32(b[headerSize:], 7)
	binary.NativeEndian.PutUint32(b[headerSize+4:], minor)
	binary.NativeEndian.PutUint32(b[headerSize+12:], 0xffffffff)
	binary.NativeEndian.PutUint32(b[headerSize+16:], 0xffffffff)
	return b
}

func TestInitIsAgreedOnOnce(t *testing.T) {
	s := newState(t, 0)
	c, k := connect(t, s, Options{})
	serve(t, c, k, echo, Started)
	k.send(initPacket(1, 45))
	_, first := k.answer()
	got := (*fuse.InitOut)(unsafe.Pointer(unsafe.StringData(first + strings.Repeat("\x00", 64))))
	if got.Major != 7 || got.Minor != 31 || got.MaxWrite != maxWrite || got.MaxPages != maxPages || got.Flags64()&^fuse.CAP_INIT_EXT != wanted {
		t.Errorf("INIT is answered %+v", got)
	}
	if !s.Inited() {
		t.Fatal("INIT was answered and not recorded")
	}
	// A worker that died between record and reply: the kernel asks its successor.
	k.send(initPacket(2, 20))
	if h, again := k.answer(); again != first || h.Unique != 2 {
		t.Errorf("recorded INIT is answered otherwise the second time: %+v", h)
	}
}

func TestInitOfAnotherMajor(t *testing.T) {
	c, k := connect(t, newState(t, 0), Options{})
	serve(t, c, k, echo, Started)
	b := initPacket(1, 1)
	binary.NativeEndian.PutUint32(b[headerSize:], 6)
	k.send(b)
	if h, _ := k.answer(); h.Status != -eproto {
		t.Errorf("protocol 6 is answered %d, want EPROTO", h.Status)
	}
}

// leave puts a request into a slot, as a worker that died there does.
func leave(s *State, i int, b []byte) { copy(s.slot(i), b) }

func TestSuccessorAnswersWhatWasLeft(t *testing.T) {
	s := newState(t, 0)
	for i := range Slots { // every slot: the new requests have to wait for one
		leave(s, i, packet(15, uint64(i+1), "left"))
	}
	c, k := connect(t, s, Options{})
	k.send(packet(15, 1000, "new"))
	serve(t, c, k, echo, Killed)
	seen := map[uint64]string{}
	for range Slots + 1 {
		h, b := k.answer()
		seen[h.Unique] = b
	}
	if len(seen) != Slots+1 || seen[1] != "left" || seen[Slots] != "left" || seen[1000] != "new" {
		t.Errorf("%d requests answered, want %d: %v", len(seen), Slots+1, seen)
	}
}

// Without the state of whoever served before, the kernel is asked to send everything again.
func TestLostStateAsksTheKernel(t *testing.T) {
	c, k := connect(t, newState(t, 0), Options{})
	c.dir = ""
	serve(t, c, k, echo, Started)
	if h, _ := k.answer(); h.Unique != 0 || h.Status != -fuse.NOTIFY_RESEND {
		t.Errorf("first message is %+v, want FUSE_NOTIFY_RESEND", h)
	}
}

func TestPoison(t *testing.T) {
	for _, test := range []struct {
		reason string
		deaths []Cause
		want   int32
	}{
		{"left by a crash: another chance", []Cause{Crashed}, 0},
		{"crashed two workers", []Cause{Crashed, Crashed}, -eio},
		{"there when three workers were killed", []Cause{Killed, Killed, Killed}, 0},
		{"there in every upgrade", slices.Repeat([]Cause{Killed}, maxKills), -eio},
		{"killed, then crashed: once is not twice", []Cause{Killed, Crashed}, 0},
		{"crashed, then killed: nor that", []Cause{Crashed, Killed}, 0},
	} {
		s := newState(t, 0)
		var log logBuffer
		leave(s, 5, packet(15, 9, "poison"))
		for i, cause := range test.deaths {
			c, k := connect(t, s, Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
			if last := i == len(test.deaths)-1; !last {
				// Its worker dies in the handler: nothing is answered, and the slot is as it was.
				s.begin(5, cause)
				continue
			}
			serve(t, c, k, echo, cause)
			if h, _ := k.answer(); h.Unique != 9 || h.Status != test.want {
				t.Errorf("%s: answered %d, want %d", test.reason, h.Status, test.want)
			}
		}
		if n := strings.Count(log.String(), "its worker died each time"); (test.want != 0) != (n == 1) {
			t.Errorf("%s: logged %d times", test.reason, n)
		}
	}
}

// logBuffer is a log that can be read while it is written: the race detector does not see that a reply over a socket comes
// after a record.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
