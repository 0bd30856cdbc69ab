package kernelfs

import (
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/spf13/afero"
	"golang.org/x/sys/unix"
)

func TestTriggerWritten(t *testing.T) {
	const text = "some 150000 2000000\x00"
	for resource, name := range map[Controller]string{CPU: "cpu.pressure", IO: "io.pressure", Memory: "memory.pressure"} {
		archive := unified + "-- sys/fs/cgroup/x/" + name + " --\n"

		tr := plant(t, archive)
		k := New(tr)
		if err := k.Detect(); err != nil {
			t.Fatal(err)
		}
		trigger, err := groupOf(t, k.Snapshot(), PSI, "/x").Trigger(resource, text)
		if err != nil {
			t.Fatal(err)
		}
		if trigger.FD() != -1 {
			t.Errorf("%s of a fake: FD() = %d, want none to poll", name, trigger.FD())
		}
		if err := trigger.Close(); err != nil {
			t.Errorf("%s: Close: %v", name, err)
		}
		if got, err := afero.ReadFile(tr, "/sys/fs/cgroup/x/"+name); string(got) != text || err != nil {
			t.Errorf("%s of a fake was written %q, %v, want %q", name, got, err, text)
		}

		cg := dig(t, machine(t), 2, "/sys/fs/cgroup", archive, "/x")
		if trigger, err = cg.Trigger(resource, text); err != nil {
			t.Fatal(err)
		}
		if flags, err := unix.FcntlInt(uintptr(trigger.FD()), unix.F_GETFL, 0); err != nil || flags&unix.O_NONBLOCK == 0 {
			t.Errorf("%s: descriptor with flags %#x, %v, want it open and not to block", name, flags, err)
		}
		if err := trigger.Close(); err != nil {
			t.Errorf("%s: Close: %v", name, err)
		}
		if got, err := os.ReadFile(cg.Dir() + "/" + name); string(got) != text || err != nil {
			t.Errorf("%s was written %q, %v, want %q", name, got, err, text)
		}
	}
}

// refusing is a tree whose files answer writes as a pressure file does what is no trigger.
type refusing struct{ *tree }

type refusingFile struct{ afero.File }

func (refusingFile) WriteString(string) (int, error) { return 0, syscall.EINVAL }

func (r refusing) OpenFile(name string, flag int, perm os.FileMode) (afero.File, error) {
	f, err := r.tree.OpenFile(name, flag, perm)
	return refusingFile{f}, err
}

func TestTriggerErrors(t *testing.T) {
	const archive = unified + "-- sys/fs/cgroup/x/cpu.pressure --\n-- sys/fs/cgroup/x/io.pressure ! EOPNOTSUPP --\n"
	k := New(refusing{plant(t, archive)})
	if err := k.Detect(); err != nil {
		t.Fatal(err)
	}
	fake := groupOf(t, k.Snapshot(), PSI, "/x")
	host := dig(t, machine(t), 2, "/sys/fs/cgroup", archive, "/x")
	if err := os.Remove(host.Dir() + "/cpu.pressure"); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/dev/full", host.Dir()+"/cpu.pressure"); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		reason   string
		cg       *Cgroup
		resource Controller
		want     error
	}{
		{"no trigger, fake", fake, CPU, syscall.EINVAL},
		{"psi=0, fake", fake, IO, syscall.EOPNOTSUPP},
		{"removed", host, Memory, syscall.ENOENT},
		{"the kernel refuses the text", host, CPU, syscall.ENOSPC},
	} {
		trigger, err := tc.cg.Trigger(tc.resource, "bogus")
		if trigger != nil || !errors.Is(err, tc.want) || !strings.Contains(errText(err), tc.cg.Dir()) {
			t.Errorf("%s: Trigger = %v, %v, want %v naming the file", tc.reason, trigger, err, tc.want)
		}
	}
}
