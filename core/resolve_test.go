package core_test

import (
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/afero"

	"lxcfs/core"
	"lxcfs/fakekernel"
	"lxcfs/kernelfs"
)

// dying is a kernel on which a process ends whenever its file is opened.
type dying struct {
	*fakekernel.Kernel
	file   string
	opened int
}

func (d *dying) Open(name string) (afero.File, error) {
	if name == d.file {
		d.opened++
		return nil, syscall.ENOENT
	}
	return d.Kernel.Open(name)
}

// TestInitThatKeepsDying is looked for three times; then the caller is judged by its own cgroup.
func TestInitThatKeepsDying(t *testing.T) {
	k, _ := boot(t, core.Options{}, "unified", "cgroup create /web", "limit memory /web 64M",
		"spawn web in /web pidns=new", "spawn shell in /web pidns=of:web")
	d := &dying{Kernel: k, file: "/proc/1000/cgroup"}
	c, err := core.New(kernelfs.New(d), core.Options{})
	if err != nil {
		t.Fatal(err)
	}
	text, err := c.Read(caller(t, k, "shell"), "proc/meminfo", nil)
	if err != nil || !strings.HasPrefix(string(text), "MemTotal:          65536 kB\n") {
		t.Errorf("meminfo = %.40q, %v, want the 64 MiB of its own cgroup", text, err)
	}
	if d.opened != 1+3 {
		t.Errorf("the init's cgroups were asked for %d times, want 3 and one to find it by", d.opened)
	}
}

// looking is a kernel that notes whose pid namespaces are asked for.
type looking struct {
	*fakekernel.Kernel
	links []string
}

func (l *looking) ReadlinkIfPossible(name string) (string, error) {
	l.links = append(l.links, name)
	return l.Kernel.ReadlinkIfPossible(name)
}

// TestOtherInitsAreNotAsked: another container's init may not say which namespace it is in for as long as it likes.
func TestOtherInitsAreNotAsked(t *testing.T) {
	k, _ := boot(t, core.Options{}, "unified", "cgroup create /other", "cgroup create /web", "limit memory /web 64M",
		"spawn other in /other pidns=new", "spawn web in /web pidns=new", "spawn shell in /web pidns=of:web")
	l := &looking{Kernel: k}
	c, err := core.New(kernelfs.New(l), core.Options{})
	if err != nil {
		t.Fatal(err)
	}
	text, err := c.Read(caller(t, k, "shell"), "proc/meminfo", nil)
	if err != nil || !strings.HasPrefix(string(text), "MemTotal:          65536 kB\n") {
		t.Errorf("meminfo = %.40q, %v, want the 64 MiB of its container", text, err)
	}
	want := []string{"/proc/self/ns/pid", "/proc/1002/ns/pid", "/proc/1001/ns/pid"} // the daemon's, the caller's, its init's
	if diff := cmp.Diff(want, slices.Compact(l.links)); diff != "" {
		t.Errorf("links read (-want +got)\n%s", diff)
	}
}
