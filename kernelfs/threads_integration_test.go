//go:build integration

package kernelfs

import (
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"
)

// TestThreadsOfTheKernel counts the threads of a cgroup and one below it, with a busy process each and a
// sleeping one. On v1 the upper one's are frozen then: state D, which CGROUPSTATS does not count.
func TestThreadsOfTheKernel(t *testing.T) {
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
	name := "/lxcfs-threads-" + strconv.Itoa(os.Getpid())
	freezer := populate(t, h, name)
	s := k.Snapshot()
	cg := h.Cgroup(name)
	defer cg.Release()
	await := func(want Threads) {
		t.Helper()
		var got Threads
		for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
			s.Reset()
			got = cg.Threads(s, 10, 100)
			if want.Last = got.Last; got == want {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("Threads = %+v, want %+v", got, want)
			}
		}
	}
	await(Threads{Total: 6, Running: 2})
	if freezer != "" {
		write(t, freezer+"/freezer.state", "FROZEN")
		await(Threads{Total: 6, Running: 1, Blocked: 3})
		write(t, freezer+"/freezer.state", "THAWED")
		await(Threads{Total: 6, Running: 2})
	}
}

// populate makes the cgroup and one below it and starts their processes. It returns a v1 freezer that
// holds those of the upper one, "" where there is none.
func populate(t *testing.T, h *Hierarchy, name string) (freezer string) {
	dirs := []string{h.Mount + name, h.Mount + name + "/below"}
	const freezers = "/sys/fs/cgroup/freezer"
	if _, err := os.Stat(freezers); err == nil && h.Version == 1 {
		freezer = freezers + name
		dirs = append(dirs, freezer)
	}
	for _, dir := range dirs {
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
	}
	for i, dir := range dirs[:2] {
		enter := "echo $$ > " + dir + "/cgroup.procs; "
		if i == 0 && freezer != "" {
			enter += "echo $$ > " + freezer + "/cgroup.procs; "
		}
		for _, script := range []string{"while :; do :; done", "sleep 100 & wait"} {
			cmd := exec.Command("sh", "-c", enter+script)
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
				cmd.Process.Kill() // it may not be there yet
				cmd.Wait()
			})
		}
	}
	t.Cleanup(func() { // before they are killed
		if freezer != "" {
			write(t, freezer+"/freezer.state", "THAWED")
		}
	})
	return freezer
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0); err != nil {
		t.Fatal(err)
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
