package kernelfs

import (
	"errors"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseNamespace(t *testing.T) {
	for _, tc := range []struct {
		in   string
		want uint64
		ok   bool
	}{
		{"pid:[4026531836]", 4026531836, true},
		{"pid:[]", 0, false},
		{"pid:[0]", 0, false},
		{"pid:[4026531836", 4026531836, false},
		{"pid:[4026531836]x", 4026531836, false},
		{"pid:4026531836]", 0, false},
		{"", 0, false},
	} {
		if got, ok := parseNamespace([]byte(tc.in)); ok != tc.ok || ok && got != tc.want {
			t.Errorf("parseNamespace(%q) = %d, %v, want %d, %v", tc.in, got, ok, tc.want, tc.ok)
		}
	}
}

// statLine is /proc/PID/stat up to field 22, every field's value being its number but for pid, command and start.
func statLine(pid int, comm string, state byte, start int) string {
	line := strconv.Itoa(pid) + " (" + comm + ") " + string(state)
	for f := 4; f <= 21; f++ {
		line += " " + strconv.Itoa(f)
	}
	return line + " " + strconv.Itoa(start) + " 23 24\n"
}

func TestStartTime(t *testing.T) {
	for _, tc := range []struct {
		reason string
		text   string
		want   uint64
		err    string
	}{
		{"field 22", statLine(42, "init", 'S', 18200), 18200, ""},
		{"a command with a blank, on which others stumble", statLine(42, "a b", 'S', 18201), 18201, ""},
		{"a command with parentheses", statLine(42, "a b) (c", 'S', 18202), 18202, ""},
		{"a command that looks like the rest of the line", statLine(42, ") R 1 2 3 4", 'S', 18203), 18203, ""},
		{"a command with a newline", statLine(42, "a\nb", 'S', 18204), 18204, ""},
		{"before the last field", "42 (x) S 4 5 6\n", 0, "/proc/42/stat:1: ends early"},
		{"no command", "42 x S 4\n", 0, "/proc/42/stat:1: ends early"},
		{"empty, as a dying process may read", "", 0, "/proc/42/stat:1: ends early"},
	} {
		s := New(plant(t, "-- proc/42/stat --\n"+tc.text)).Snapshot()
		if got, err := s.startTime(42); got != tc.want || errText(err) != tc.err {
			t.Errorf("%s: startTime(%q) = %d, %q, want %d, %q", tc.reason, tc.text, got, errText(err), tc.want, tc.err)
		}
	}
	if _, err := New(plant(t, "-- proc/42/stat ! ESRCH --\n")).Snapshot().startTime(42); !Missing(err) {
		t.Errorf("startTime of a process that ended: %v, want it missing", err)
	}
}

func TestState(t *testing.T) {
	for _, tc := range []struct {
		reason string
		text   string
		want   byte
		err    string
	}{
		{"running", "Name:\tx\nUmask:\t0022\nState:\tR (running)\n", 'R', ""},
		{"a command that looks like a state", "Name:\tState:\\tD\nState:\tS (sleeping)\n", 'S', ""},
		{"no state", "Name:\tx\nState:\n", 0, "/proc/43/task/43/status: ends early"},
		{"a word", "Name:\tx\nState:\tRunning\nState:\tR\n", 0, "/proc/43/task/43/status: ends early"},
		{"another line", "Name:\tx\n", 0, "/proc/43/task/43/status: ends early"},
		{"empty", "", 0, "/proc/43/task/43/status: ends early"},
	} {
		// /proc/43 is the thread group's: its leader sleeps while others run.
		s := New(plant(t, "-- proc/43/status --\nState:\tZ (zombie)\n-- proc/43/task/43/status --\n"+tc.text)).Snapshot()
		if got, err := s.State(43); got != tc.want || errText(err) != tc.err {
			t.Errorf("%s: State = %q, %q, want %q, %q", tc.reason, got, errText(err), tc.want, tc.err)
		}
	}
	if got, err := New(plant(t, "")).Snapshot().State(43); !Missing(err) || got != 0 {
		t.Errorf("State of a thread that ended = %q, %v, want it missing", got, err)
	}
}

// people is a host with a container whose init is 100, in which 120 runs a namespace of its own.
const people = `
-- proc/self/ns/pid -> pid:[4026531836] --
-- proc/1/ns/pid -> pid:[4026531836] --
-- proc/1/status --
Name:	systemd
PPid:	0
NSpid:	1
-- proc/99/ns/pid -> pid:[4026531836] --
-- proc/99/status --
Name:	lxc-start
PPid:	1
NSpid:	99
-- proc/100/ns/pid -> pid:[4026532201] --
-- proc/100/status --
Name:	init
PPid:	99
NSpid:	100	1
-- proc/100/stat --
100 (init) S 99 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 18200 23
-- proc/100/cgroup --
0::/lxc/c1/init.scope
-- proc/110/ns/pid -> pid:[4026532201] --
-- proc/110/status --
Name:	sh
PPid:	100
NSpid:	110	11
-- proc/111/ns/pid -> pid:[4026532201] --
-- proc/111/status --
Name:	orphan of another namespace
PPid:	99
NSpid:	111	1111
-- proc/120/ns/pid -> pid:[4026532333] --
-- proc/120/status --
Name:	nested
PPid:	110
NSpid:	120	12	1
-- proc/120/stat --
120 (nested) S 110 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 18300 23
-- proc/121/ns/pid -> pid:[4026532333] --
-- proc/121/status --
Name:	in nested
PPid:	120
NSpid:	121	13	2
-- proc/130/ns/pid -> pid:[4026532444] --
-- proc/130/status --
Name:	its init has ended
PPid:	99
NSpid:	130	5
-- proc/2/ns/pid -> pid:[4026532666] --
-- proc/2/status --
Name:	an init, where the daemon is in a container itself
PPid:	1
NSpid:	2	1
-- proc/2/stat --
2 (init) S 1 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 18400 23
-- proc/3/ns/pid -> pid:[4026532666] --
-- proc/3/status --
Name:	sh
PPid:	2
NSpid:	3	2
-- proc/140/ns/pid -> pid:[4026532555] --
-- proc/140/status --
Name:	before Linux 4.1
PPid:	99
-- proc/+listed-first --
-- proc/notapid --
-- proc/150/ns/pid -> something else --
-- proc/160/ns/pid ! EACCES --
`

func TestNamespace(t *testing.T) {
	k := New(plant(t, people))
	if got := k.OwnNamespace(); got != 4026531836 {
		t.Errorf("OwnNamespace() = %d, want 4026531836", got)
	}
	s := k.Snapshot()
	for _, tc := range []struct {
		pid  int
		want uint64
		err  string
	}{
		{100, 4026532201, ""},
		{121, 4026532333, ""},
		{150, 0, "/proc/150/ns/pid: not the documented format"},
		{160, 0, "read /proc/160/ns/pid: permission denied"},
		{999, 0, "read /proc/999/ns/pid: no such file or directory"},
	} {
		if got, err := s.Namespace(tc.pid); got != tc.want || errText(err) != tc.err {
			t.Errorf("Namespace(%d) = %d, %q, want %d, %q", tc.pid, got, errText(err), tc.want, tc.err)
		}
	}
	for _, archive := range []string{"", "-- proc/self/ns/pid -> odd --\n"} {
		if got := New(plant(t, archive)).OwnNamespace(); got != 0 {
			t.Errorf("OwnNamespace() of %q = %d, want 0, unknown", archive, got)
		}
	}
}

func TestInit(t *testing.T) {
	for _, tc := range []struct {
		reason  string
		pid     int
		ns      uint64
		want    int
		start   uint64
		missing bool
	}{
		{"a parent", 110, 4026532201, 100, 18200, false},
		{"itself", 100, 4026532201, 100, 18200, false},
		{"no ancestor: entered with nsenter, docker exec", 111, 4026532201, 100, 18200, false},
		{"the innermost namespace's", 121, 4026532333, 120, 18300, false},
		{"an ancestor is the init of another namespace", 120, 4026532333, 120, 18300, false},
		{"the lowest number an init of a container can have", 3, 4026532666, 2, 18400, false},
		{"the init has ended", 130, 4026532444, 0, 0, true},
		{"a kernel that does not print NSpid", 140, 4026532555, 0, 0, true},
	} {
		s := New(plant(t, people)).Snapshot()
		p, err := s.Init(tc.pid, tc.ns)
		if tc.missing {
			if !Missing(err) {
				t.Errorf("%s: Init(%d) = %+v, %v, want it missing", tc.reason, tc.pid, p, err)
			}
			continue
		}
		if err != nil || p.PID != tc.want || p.Namespace != tc.ns || p.Start != tc.start {
			t.Errorf("%s: Init(%d, %d) = %+v, %v, want %d started at %d", tc.reason, tc.pid, tc.ns, p, err, tc.want, tc.start)
			continue
		}
		if p.Pinned() {
			t.Errorf("%s: Pinned() = true on a kernel that cannot pin", tc.reason)
		}
		p.Close()
	}
}

func TestInitGoesWhileLookedFor(t *testing.T) {
	for _, tc := range []struct{ reason, name string }{
		{"it ended", "/proc/100/stat"},
		{"its number went to another namespace's", "/proc/100/ns/pid"},
	} {
		tr := plant(t, people)
		s := New(tr).Snapshot()
		if tc.name == "/proc/100/stat" {
			tr.fails[tc.name] = errnoOf(t, "ESRCH")
		} else {
			tr.links[tc.name] = "pid:[4026532999]"
		}
		if p, err := s.Init(110, 4026532201); !Missing(err) {
			t.Errorf("%s: Init = %+v, %v, want it missing", tc.reason, p, err)
		}
	}
	s := New(plant(t, people)).Snapshot()
	if p, err := s.remember(100, 4026532999, nil); !Missing(err) {
		t.Errorf("remember(100) in a namespace it is not in = %+v, %v, want it missing", p, err)
	}
	tr := plant(t, people)
	delete(tr.links, "/proc/100/ns/pid")
	tr.fails["/proc"] = errnoOf(t, "EIO")
	if p, err := New(tr).Snapshot().Init(110, 4026532201); !Missing(err) {
		t.Errorf("/proc cannot be listed: Init = %+v, %v, want it missing", p, err)
	}
}

func TestAlive(t *testing.T) {
	tr := plant(t, people)
	k := New(tr)
	p, err := k.Snapshot().Init(110, 4026532201)
	if err != nil {
		t.Fatal(err)
	}
	if !p.Alive(k.Snapshot()) {
		t.Error("Alive() = false though nothing changed")
	}
	tr.write(t, "/proc/100/stat", statLine(100, "init", 'S', 18201))
	if p.Alive(k.Snapshot()) {
		t.Error("Alive() = true though the number belongs to a process that started later")
	}
	tr.write(t, "/proc/100/stat", statLine(100, "init", 'S', 18200))
	tr.links["/proc/100/ns/pid"] = "pid:[4026532999]"
	if p.Alive(k.Snapshot()) {
		t.Error("Alive() = true though the number belongs to a process of another namespace, started in the same tick")
	}
	tr.fails["/proc/100/stat"] = errnoOf(t, "ESRCH")
	if p.Alive(k.Snapshot()) {
		t.Error("Alive() = true though the process has ended")
	}
}

func TestProcessCgroups(t *testing.T) {
	k := New(plant(t, people+unified))
	if err := k.Detect(); err != nil {
		t.Fatal(err)
	}
	s := k.Snapshot()
	p := s.Process(100)
	defer p.Close()
	text, err := p.Cgroups(s)
	if err != nil {
		t.Fatal(err)
	}
	if got, ok := k.Hierarchy(Memory).Find(text); got != "/lxc/c1" || !ok {
		t.Errorf("Find(%q) = %q, %v, want /lxc/c1", text, got, ok)
	}
	gone := s.Process(999)
	if _, err := gone.Cgroups(s); !Missing(err) {
		t.Errorf("Cgroups of a process that ended: %v, want it missing", err)
	}
	var nobody *Process
	nobody.Close()
}

func TestNSpid(t *testing.T) {
	type answer struct {
		Init   bool
		Parent int
	}
	for _, tc := range []struct {
		reason string
		text   string
		want   answer
	}{
		{"the host's init", "PPid:\t0\nNSpid:\t1\n", answer{true, 0}},
		{"a container's", "PPid:\t99\nNSpid:\t100\t1\n", answer{true, 99}},
		{"ends in 1 but is not 1", "PPid:\t99\nNSpid:\t100\t11\n", answer{false, 99}},
		{"1 in an outer namespace only", "PPid:\t99\nNSpid:\t1\t7\n", answer{false, 99}},
		{"blanks at the end", "PPid:\t99\nNSpid:\t100\t1 \n", answer{true, 99}},
		{"no NSpid", "PPid:\t98\nNSpgid:\t100\t1\n", answer{false, 98}},
		{"a name that looks like it cannot: it is escaped and on its own line", "Name:\tNSpid:\t5\t1\nPPid:\t97\nNSpid:\t5\t2\n", answer{false, 97}},
		{"empty", "", answer{}},
	} {
		s := New(plant(t, "-- proc/5/status --\n"+tc.text)).Snapshot()
		var got answer
		got.Init, got.Parent = s.nspid(5)
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%s (-want +got)\n%s", tc.reason, diff)
		}
	}
	if init, parent := New(plant(t, "")).Snapshot().nspid(5); init || parent != 0 {
		t.Errorf("nspid of nobody = %v, %d", init, parent)
	}
}

func TestInitErrorSaysWhich(t *testing.T) {
	_, err := New(plant(t, people)).Snapshot().Init(130, 4026532444)
	if got, want := errText(err), "pid namespace 4026532444: init: gone"; got != want || !errors.Is(err, errGone) {
		t.Errorf("Init = %q, want %q", got, want)
	}
}
