package conn

import (
	"errors"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

func TestStateOfAnotherLayout(t *testing.T) {
	s := newState(t, 0)
	*s.u64(offLayout) = Layout + 1
	if _, err := OpenState(s.FD()); !errors.Is(err, ErrLayout) {
		t.Errorf("OpenState = %v, want ErrLayout", err)
	}
	fd, err := unix.MemfdCreate("short", 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if _, err := OpenState(fd); !errors.Is(err, ErrLayout) {
		t.Errorf("OpenState of an empty file = %v, want ErrLayout", err)
	}
}

func TestStateSurvives(t *testing.T) {
	s := newState(t, 10_000)
	copy(s.History()[9_990:], "0123456789")
	s.AddName("proc/meminfo", 0o444)
	s.AddName("proc", 0o555)
	s.SetDone(1<<48|77, 1475)
	s.SetWorker(12, 34)
	again, err := OpenState(s.FD())
	if err != nil {
		t.Fatal(err)
	}
	defer again.Release()
	if len(again.History()) != 10_000 || string(again.History()[9_990:]) != "0123456789" {
		t.Errorf("history of %d bytes", len(again.History()))
	}
	var names []string
	for name, mode := range again.Names {
		names = append(names, name)
		if want := map[string]uint32{"proc/meminfo": 0o444, "proc": 0o555}[name]; mode != want {
			t.Errorf("mode of %s is %o, want %o", name, mode, want)
		}
	}
	if !slices.Equal(names, []string{"proc/meminfo", "proc"}) {
		t.Errorf("names %q", names)
	}
	if n, ok := again.Done(1<<48 | 77); !ok || n != 1475 {
		t.Errorf("Done = %d, %v", n, ok)
	}
	for _, other := range []uint64{2<<48 | 77, 1<<48 | (77 + doneFiles), 1<<48 | 78} {
		if _, ok := again.Done(other); ok {
			t.Errorf("Done(%#x) is another file's", other)
		}
	}
	if pid, start := again.Worker(); pid != 12 || start != 34 {
		t.Errorf("Worker = %d, %d", pid, start)
	}
}
