package core_test

import (
	"strings"
	"syscall"
	"testing"

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
	if d.opened != 3 {
		t.Errorf("the init's cgroups were asked for %d times, want 3", d.opened)
	}
}
