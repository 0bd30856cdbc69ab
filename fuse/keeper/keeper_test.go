package keeper

import (
	"errors"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"lxcfs/fuse/conn"

	"golang.org/x/sys/unix"
)

func TestPauseGrowsAndStops(t *testing.T) {
	for _, test := range []struct {
		reason  string
		crashes int
		want    time.Duration
	}{
		{"the first start", 0, 0},
		{"a crash costs nothing more", 2, 0},
		{"crashing all the time", 3, 10 * time.Millisecond},
		{"longer", 6, 80 * time.Millisecond},
		{"but never for good", 1000, time.Second},
	} {
		if got := pause(test.crashes); got != test.want {
			t.Errorf("%s: pause(%d) = %v, want %v", test.reason, test.crashes, got, test.want)
		}
	}
}

// Who kills workers as they start makes clients wait for the next start, and for nothing else.
func TestKillsDoNotDelay(t *testing.T) {
	for _, tt := range []struct {
		crashes, failures int
		answers           bool // the minimal mode
		want              time.Duration
	}{
		{0, 100, false, 0},
		{0, 100, true, time.Second},
		{5, 100, false, pause(5)},
		{5, 0, true, pause(5)},
	} {
		k := &Keeper{crashes: tt.crashes}
		if tt.answers {
			k.minimal = &minimal{}
		}
		if got := k.delay(tt.failures); got != tt.want {
			t.Errorf("after %d crashes and %d failures, answered %t: %v, want %v", tt.crashes, tt.failures, tt.answers, got, tt.want)
		}
	}
}

// Five crashes in a row are enough, and any number of kills that leaves no more than a pause is not.
func TestHopeless(t *testing.T) {
	for _, tt := range []struct {
		crashes int
		served  time.Duration // ago
		want    bool
	}{
		{0, 0, false},
		{4, 15 * time.Second, false},
		{5, 0, true},
		{0, 25 * time.Second, true},
	} {
		k := &Keeper{crashes: tt.crashes, served: time.Now().Add(-tt.served)}
		if got := k.hopeless(); got != tt.want {
			t.Errorf("%d crashes, served %v ago: %t, want %t", tt.crashes, tt.served, got, tt.want)
		}
	}
}

func TestFDsFrom(t *testing.T) {
	fd, err := unix.Dup(0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	for _, test := range []struct {
		reason, text string
		n            int
		ok           bool
	}{
		{"as given", strconv.Itoa(fd) + "," + strconv.Itoa(fd), 2, true},
		{"too few", strconv.Itoa(fd), 2, false},
		{"no number", "x", 1, false},
		{"negative", "-1", 1, false},
		{"not open", "9999", 1, false},
	} {
		t.Setenv("TEST_FDS", test.text)
		fds, err := fdsFrom("TEST_FDS", test.n)
		if ok := err == nil && len(fds) == test.n; ok != test.ok {
			t.Errorf("%s: fdsFrom(%s) = %v, %v", test.reason, test.text, fds, err)
		}
		if _, there := os.LookupEnv("TEST_FDS"); there {
			t.Errorf("%s: children would inherit the variable", test.reason)
		}
	}
	if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
		t.Error("children would inherit the descriptor")
	}
	if fds, err := fdsFrom("TEST_FDS", 2); fds != nil || err != nil {
		t.Errorf("not started by a keeper: %v, %v", fds, err)
	}
}

func control(t *testing.T) (worker, keeper int) {
	t.Helper()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(pair[0]); unix.Close(pair[1]) })
	return pair[0], pair[1]
}

func TestHelloWaitsForServe(t *testing.T) {
	w, k := control(t)
	if err := send(k, message{Say: "serve", Cause: conn.Crashed}); err != nil {
		t.Fatal(err)
	}
	cause, err := (&Worker{control: w}).Hello("1.2", nil)
	if err != nil || cause != conn.Crashed {
		t.Errorf("Hello = %v, %v, want Crashed", cause, err)
	}
	if m, err := receive(k); err != nil || m != (message{Say: "hello", Version: "1.2", Layout: conn.Layout}) {
		t.Errorf("keeper hears %+v, %v", m, err)
	}
}

func TestFailedSelfTestIsARefusal(t *testing.T) {
	w, k := control(t)
	if _, err := (&Worker{control: w}).Hello("1.2", errors.New("no memory controller")); err == nil {
		t.Error("Hello = nil, want the self-test's error")
	}
	if m, err := receive(k); err != nil || m != (message{Say: "refuse", Error: "no memory controller"}) {
		t.Errorf("keeper hears %+v, %v", m, err)
	}
}

func TestHelloOfAKeeperThatIsGone(t *testing.T) {
	w, k := control(t)
	unix.Shutdown(k, unix.SHUT_RDWR)
	if _, err := (&Worker{control: w}).Hello("1.2", nil); err == nil {
		t.Error("Hello = nil without a keeper")
	}
}

func TestKeeperChecksHello(t *testing.T) {
	for _, test := range []struct {
		reason string
		said   []message
		want   string
	}{
		{"a worker of our layout", []message{{Say: "hello", Version: "2", Layout: conn.Layout}}, ""},
		{"one of another layout", []message{{Say: "hello", Version: "2", Layout: conn.Layout + 1}}, "state layout"},
		{"one that failed its self-test", []message{{Say: "refuse", Error: "proc/stat: EIO"}}, "proc/stat: EIO"},
		{"one that serves unasked", []message{{Say: "serving"}}, "not hello"},
		{"one that says nothing", nil, "said nothing in 1ms"},
	} {
		p := &process{said: make(chan message, 1), dead: make(chan struct{})}
		for _, m := range test.said {
			p.said <- m
		}
		err := p.hello(time.Millisecond)
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s: %v, want %q", test.reason, err, test.want)
		}
	}
}

func TestStartTimeOfThisProcess(t *testing.T) {
	first, err := startTime(os.Getpid())
	if err != nil || first == 0 {
		t.Fatalf("startTime = %d, %v", first, err)
	}
	if again, err := startTime(os.Getpid()); err != nil || again != first {
		t.Errorf("startTime changed from %d to %d, %v", first, again, err)
	}
	if _, err := startTime(1 << 30); err == nil {
		t.Error("startTime of no process = nil")
	}
}

func TestTellWithoutSystemd(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	k := &Keeper{fuse: -1, state: -1, log: slog.New(slog.DiscardHandler)}
	if err := k.tell("READY=1"); err != nil {
		t.Errorf("tell = %v where nobody listens", err)
	}
	k.storeFDs()
	if k.stored {
		t.Error("descriptors were stored with nobody")
	}
}

func TestStoreOfAnotherProcessIsNotOurs(t *testing.T) {
	t.Setenv("LISTEN_PID", "1")
	t.Setenv("LISTEN_FDS", "2")
	k := &Keeper{fuse: -1, state: -1}
	if ok, err := k.resumeStore(); ok || err != nil {
		t.Errorf("resumeStore = %v, %v", ok, err)
	}
	if os.Getenv("LISTEN_FDS") != "2" {
		t.Error("another process's variable was removed")
	}
}

// The worker died while the keeper was becoming the new program, and the old one took note of it.
func TestDeathThatWasSeenBefore(t *testing.T) {
	w, k := control(t)
	unix.Shutdown(w, unix.SHUT_RDWR)
	fd, err := unix.Dup(k) // watch closes it
	if err != nil {
		t.Fatal(err)
	}
	p, err := watch(1<<22-7, fd) // nobody's child
	if err != nil {
		t.Fatal(err)
	}
	<-p.dead
	if p.endedWell() || p.cause() != conn.Killed {
		t.Errorf("ended well: %v, cause %v, want an unknown death to be a kill", p.endedWell(), p.cause())
	}
	(&Keeper{log: slog.New(slog.DiscardHandler)}).died(p)
}
