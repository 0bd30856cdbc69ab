//go:build integration

package kernelfs

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// TestActive holds the kernel's own count against the states of the threads, in a cgroup and one below it
// with a busy process each and a sleeping one.
func TestActive(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Fatal("integration tests need root")
	}
	k, err := Host(64)
	if err != nil {
		t.Fatal(err)
	}
	if err := k.Detect(); err != nil {
		t.Fatal(err)
	}
	h := k.Hierarchy(CPU)
	top := filepath.Join(h.Mount, "lxcfs-active-"+strconv.Itoa(os.Getpid()))
	for _, dir := range []string{top, top + "/below"} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			for range 100 { // its processes may take a moment to leave
				if os.Remove(dir) == nil {
					return
				}
				time.Sleep(20 * time.Millisecond)
			}
			t.Errorf("%s stays", dir)
		})
		for _, script := range []string{"while :; do :; done", "sleep 100 & wait"} {
			cmd := exec.Command("sh", "-c", "echo $$ > "+dir+"/cgroup.procs; "+script)
			cmd.Stdout = nil
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				tasks, _ := os.ReadFile(dir + "/cgroup.procs")
				for _, pid := range lines(tasks) {
					if p, err := os.FindProcess(pid); err == nil {
						p.Kill()
					}
				}
				cmd.Wait()
			})
		}
	}
	s := k.Snapshot()
	cg := h.Cgroup("/" + filepath.Base(top))
	defer cg.Release()
	deadline := time.Now().Add(5 * time.Second)
	for {
		running, blocked, ok := cg.Active(s, 10)
		if want := h.Version == 1; ok != want {
			t.Fatalf("Active reports %v on v%d", ok, h.Version)
		}
		walked := 0
		total := 0
		if !cg.Threads(s, 10, func(tid int) {
			total++
			if state, err := s.State(tid); err == nil && state == 'R' {
				walked++
			}
		}) {
			t.Fatal("Threads did not visit every cgroup")
		}
		s.Reset()
		if total == 6 && walked == 2 && (!ok || running == 2 && blocked == 0) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d running and %d blocked as the kernel counts, %d of %d threads in state R, want 2, 0, 2 of 6", running, blocked, walked, total)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func lines(text []byte) (pids []int) {
	for len(text) > 0 {
		var line []byte
		line, text = Line(text)
		if n, _, ok := ParseUint(line); ok {
			pids = append(pids, int(n))
		}
	}
	return pids
}
