package capture

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"lxcfs/cmd/internal/archive"
	"lxcfs/core"
	"lxcfs/fakekernel"
	"lxcfs/kernelfs"
)

const (
	dockerID = "4f6a8c0e2b4d6f8a0c2e4b6d8f0a2c4e6b8d0f2a4c6e8b0d2f4a6c8e0b2d4f6a"
	group    = "/lxc.payload.customer-web/docker/" + dockerID
)

// containerHost is a machine with a container in a container, other processes, and a process in the
// inner one that is no child of its init.
func containerHost(t *testing.T, layout string) (k *fakekernel.Kernel, pid int) {
	t.Helper()
	k, err := fakekernel.New(fakekernel.Config{Layout: layout, CPUs: 4, Memory: 8 << 30, Kernel: "6.1"})
	if err != nil {
		t.Fatal(err)
	}
	spawn := func(name, in string, options ...string) int {
		pid, err := k.Spawn(name, in, options...)
		if err != nil {
			t.Fatal(err)
		}
		return pid
	}
	for _, name := range []string{"sshd", "cron", "getty"} {
		spawn(name, "/", "comm="+name+"-secret")
	}
	spawn("outer", "/lxc.payload.customer-web/init.scope", "pidns=new", "comm=outer-secret")
	spawn("inner", group, "pidns=new", "parent=outer", "comm=inner-secret")
	pid = spawn("joined", group, "pidns=of:inner", "comm=joined-secret")
	for _, err := range []error{
		k.Limit("memory", group, "64M"),
		k.Limit("cpuset", group, "1-2"),
		k.Limit("cpu", group, "0.5"),
		k.Charge(group, "anon=10M", "file=4M"),
		k.Write("/proc/sys/kernel/hostname", "db01"),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return k, pid
}

func TestHost(t *testing.T) {
	for _, layout := range []string{"legacy", "hybrid", "unified"} {
		t.Run(layout, func(t *testing.T) {
			k, pid := containerHost(t, layout)
			a, err := Host(k, Options{PID: pid, Comment: "a test"})
			if err != nil {
				t.Fatal(err)
			}
			data := string(a.Bytes())
			for _, secret := range []string{dockerID, "customer-web", "-secret"} {
				if strings.Contains(data, secret) {
					t.Errorf("the archive holds %q, which says whose machine it was", secret)
				}
			}
			answersAsLive(t, k, pid, a)
			nothingElse(t, a)
		})
	}
}

// answersAsLive compares an archive that has been written and read with the host it was made of.
func answersAsLive(t *testing.T, k *fakekernel.Kernel, pid int, a *archive.Archive) {
	t.Helper()
	again, err := archive.Parse(a.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range []core.Options{{}, {CFS: true}, {NoSwap: true}} {
		c, err := core.New(kernelfs.New(k), o)
		if err != nil {
			t.Fatal(err)
		}
		live, err := archive.Files(c, core.Caller{PID: pid})
		if err != nil {
			t.Fatal(err)
		}
		got, err := again.Ask(o)
		if err != nil {
			t.Fatal(err)
		}
		if d := archive.Diff(got[:len(live)], live); d != "" {
			t.Errorf("options %+v: the archive does not answer as the host: %s", o, d)
		}
	}
}

// nothingElse checks that all of an archive is read when it is rendered from, under one flag or another.
func nothingElse(t *testing.T, a *archive.Archive) {
	t.Helper()
	k, err := a.Kernel()
	if err != nil {
		t.Fatal(err)
	}
	rec := newRecorder(k)
	for _, o := range []core.Options{{}, {CFS: true}} {
		if _, err := ask(rec, a.Caller, o, archive.Answers); err != nil {
			t.Fatal(err)
		}
	}
	read, err := rec.entries()
	if err != nil {
		t.Fatal(err)
	}
	names := func(list []archive.Entry) (out []string) {
		for _, e := range list {
			if !e.Dir {
				out = append(out, e.Name())
			}
		}
		return out
	}
	if diff := cmp.Diff(names(read), names(a.Host)); diff != "" {
		t.Errorf("what rendering reads, and what the archive holds (-read +held):\n%s", diff)
	}
}

// The caller is no descendant of its init, so that every process is looked at to find it.
func TestHostLeavesOutOtherProcesses(t *testing.T) {
	k, pid := containerHost(t, "unified")
	a, err := Host(k, Options{PID: pid})
	if err != nil {
		t.Fatal(err)
	}
	init, err := k.PID("inner")
	if err != nil {
		t.Fatal(err)
	}
	var pids []int
	for _, e := range a.Host {
		if p, _, ok := process(e.Path); ok && !slices.Contains(pids, atoi(t, p)) {
			pids = append(pids, atoi(t, p))
		}
	}
	slices.Sort(pids)
	if diff := cmp.Diff([]int{init, pid}, pids); diff != "" {
		t.Errorf("processes in the archive, want the caller and its init (-want +got):\n%s", diff)
	}
}

func atoi(t *testing.T, s string) (n int) {
	t.Helper()
	for _, c := range s {
		n = 10*n + int(c-'0')
	}
	return n
}

func TestHostKeepsErrors(t *testing.T) {
	k, pid := containerHost(t, "unified")
	if err := k.Fail("/sys/fs/cgroup"+group+"/io.stat", "EACCES"); err != nil {
		t.Fatal(err)
	}
	a, err := Host(k, Options{PID: pid, Keep: true})
	if err != nil {
		t.Fatal(err)
	}
	want := "sys/fs/cgroup" + group + "/io.stat ! EACCES"
	if !slices.ContainsFunc(a.Host, func(e archive.Entry) bool { return e.Name() == want }) {
		t.Errorf("no entry %q: the archive must fail where the host failed", want)
	}
	if !slices.ContainsFunc(a.Want, func(e archive.Entry) bool { return e.Name() == "proc/diskstats ! EACCES" }) {
		t.Errorf("proc/diskstats is answered, want EACCES as on the host")
	}
}

func TestHostNeedsFlags(t *testing.T) {
	k, pid := containerHost(t, "unified")
	if _, err := Host(k, Options{PID: pid, Flags: []string{"--no-such"}}); err == nil {
		t.Error("Host with an unknown flag = nil, want an error")
	}
}
