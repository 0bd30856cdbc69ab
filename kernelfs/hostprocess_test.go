package kernelfs

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// start runs a process in new namespaces of the given kinds until stop is called.
func start(t *testing.T, namespaces uintptr) (pid int, stop func()) {
	t.Helper()
	cmd := exec.Command("sh", "-c", "sleep 1000 & cat")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: namespaces, Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if namespaces&syscall.CLONE_NEWUSER != 0 {
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		if namespaces != 0 {
			t.Skipf("no user namespaces here (sysctl user.max_user_namespaces): %v", err)
		}
		t.Fatal(err)
	}
	done := false
	stop = func() {
		if done {
			return
		}
		done = true
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		in.Close()
		cmd.Wait()
	}
	t.Cleanup(stop)
	return cmd.Process.Pid, stop
}

const newContainer = syscall.CLONE_NEWUSER | syscall.CLONE_NEWPID

// childOf waits for pid's child and returns it; pid itself on a kernel that does not list children.
func childOf(t *testing.T, pid int) int {
	t.Helper()
	name := "/proc/" + strconv.Itoa(pid) + "/task/" + strconv.Itoa(pid) + "/children"
	for range 100000 {
		text, err := os.ReadFile(name)
		if errors.Is(err, os.ErrNotExist) {
			return pid
		}
		if f := strings.Fields(string(text)); len(f) > 0 {
			child, err := strconv.Atoi(f[0])
			if err != nil {
				t.Fatal(err)
			}
			return child
		}
	}
	t.Fatalf("process %d has no child", pid)
	return 0
}

func TestHostInit(t *testing.T) {
	k := machine(t)
	init, stop := start(t, newContainer)
	caller := childOf(t, init)
	ns, err := k.Snapshot().Namespace(caller)
	if err != nil {
		t.Fatal(err)
	}
	if ns == k.OwnNamespace() {
		t.Fatalf("process %d is in our own namespace", caller)
	}

	p, err := k.Snapshot().Init(caller, ns)
	if err != nil {
		t.Fatal(err)
	}
	if p.PID != init || p.Namespace != ns || p.Start == 0 {
		t.Errorf("Init(%d) = %+v, want process %d in namespace %d", caller, p, init, ns)
	}
	if !p.Alive(k.Snapshot()) {
		t.Error("Alive() = false while it runs")
	}
	if got := k.Died(nil); len(got) > 0 {
		t.Errorf("Died() = %d while it runs", got)
	}
	text, err := p.Cgroups(k.Snapshot())
	own, err2 := os.ReadFile("/proc/self/cgroup")
	if err != nil || err2 != nil || len(text) == 0 || len(own) == 0 {
		t.Errorf("Cgroups = %q, %v; ours %q, %v", text, err, own, err2)
	}
	if got, ok := k.Snapshot().searchInit(caller, ns); !ok || got != init {
		t.Errorf("searchInit(%d) = %d, %v, want %d, as the kernel says", caller, got, ok, init)
	}
	if _, err := k.Snapshot().Init(caller, ns+1); !Missing(err) {
		t.Errorf("Init of a namespace the process is not in: %v, want it missing", err)
	}

	stop()
	if p.Alive(k.Snapshot()) {
		t.Error("Alive() = true after it was killed")
	}
	if got := k.Died([]uint64{7}); p.Pinned() && !slices.Equal(got, []uint64{7, ns}) {
		t.Errorf("Died() = %d after it was killed, want 7 and %d", got, ns)
	}
	p.cgroup.ttl = 0 // as if sharedFor had passed
	if _, err := p.Cgroups(k.Snapshot()); !Missing(err) {
		t.Errorf("Cgroups after it was killed: %v, want it missing", err)
	}
	if _, err := k.Snapshot().Init(init, ns); !Missing(err) {
		t.Errorf("Init after it was killed: %v, want it missing", err)
	}
	if _, err := k.Snapshot().Namespace(init); !Missing(err) {
		t.Errorf("Namespace after it was killed: %v, want it missing", err)
	}
	if p.Pinned() {
		// The namespace's number stays taken as long as it is remembered.
		for range 20 {
			again, stop := start(t, newContainer)
			if n, err := k.Snapshot().Namespace(again); err == nil && n == ns {
				t.Errorf("namespace number %d was handed out again while it is held", ns)
			}
			stop()
		}
	}
	p.Close()
	if got := k.Died(nil); len(got) > 0 {
		t.Errorf("Died() = %d after it was forgotten", got)
	}
}

func TestHostInitOfOwnNamespaceUnpinned(t *testing.T) {
	k := machine(t)
	s := k.Snapshot()
	p := s.Process(os.Getpid())
	defer p.Close()
	if p.Pinned() {
		t.Error("a caller without container pins a namespace")
	}
	text, err := p.Cgroups(s)
	if want, err2 := os.ReadFile("/proc/self/cgroup"); err != nil || err2 != nil || string(text) != string(want) {
		t.Errorf("Cgroups = %q, %v, want %q, %v", text, err, want, err2)
	}
	state, err := s.State(os.Getpid())
	if err != nil || !strings.ContainsRune("RSD", rune(state)) {
		t.Errorf("State(self) = %q, %v", state, err)
	}
	if start, err := s.startTime(os.Getpid()); err != nil || start == 0 {
		t.Errorf("startTime(self) = %d, %v", start, err)
	}
}

// TestHostInitOfTheDead: when the kernel knows of no such process, nobody is looked for.
func TestHostInitOfTheDead(t *testing.T) {
	k := machine(t)
	init, stop := start(t, newContainer)
	ns, err := k.Snapshot().Namespace(init)
	if err != nil {
		t.Fatal(err)
	}
	stop()
	file := "/proc/" + strconv.Itoa(init) + "/ns/pid"
	if _, err := k.Snapshot().Init(init, ns); err == nil || !Missing(err) || !strings.Contains(err.Error(), file) {
		t.Errorf("Init = %v, want that %s is missing", err, file)
	}
}

// TestHostInitRefused: a kernel that does not know the question leaves the namespace pinned, and the search for
// its init to others; one that knows of no init any more does not.
func TestHostInitRefused(t *testing.T) {
	k := machine(t)
	init, stop := start(t, newContainer)
	ns, err := k.Snapshot().Namespace(init)
	if err != nil {
		t.Fatal(err)
	}
	_, living, ofOld := k.host.initOf(init, ns) // the answer of Linux before 6.11, whatever is asked
	if living == nil {
		t.Fatal(ofOld)
	}
	defer living.close()
	stop()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		reason, file string
		want         error
		pinned       bool
	}{
		{"no such request: ENOTTY", file, errors.ErrUnsupported, true},
		{"a namespace of another kind: EINVAL since Linux 6.11, ENOTTY before", "/proc/self/ns/net", errors.ErrUnsupported, true},
		{"the init has died", "/proc/self/fd/" + strconv.Itoa(living.ns), syscall.ESRCH, false},
	} {
		if ofOld != nil {
			tc.want, tc.pinned = ofOld, true
		}
		proc := t.TempDir() // stands for /proc
		if err := os.MkdirAll(proc+"/7/ns", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(tc.file, proc+"/7/ns/pid"); err != nil {
			t.Fatal(err)
		}
		var st unix.Stat_t
		if err := unix.Stat(tc.file, &st); err != nil {
			t.Fatal(err)
		}
		h := &host{proc: open(t, proc)}
		pid, keep, err := h.initOf(7, st.Ino)
		if pid != 0 || !errors.Is(err, tc.want) || (keep != nil) != tc.pinned {
			t.Errorf("%s: initOf = %d, %+v, %v, want pinned: %v, %v", tc.reason, pid, keep, err, tc.pinned, tc.want)
		}
		keep.close()
	}
}
