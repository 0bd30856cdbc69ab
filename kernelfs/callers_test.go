package kernelfs

import (
	"os"
	"os/exec"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

func TestCallersAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c callers
		c.set(7, 4026531836, time.Now())
		time.Sleep(callersKept - time.Nanosecond)
		if ns, ok := c.get(7, time.Now()); !ok || ns != 4026531836 {
			t.Errorf("just before it is forgotten: %d, %v", ns, ok)
		}
		if _, ok := c.get(7+len(c.slots), time.Now()); ok {
			t.Error("a number that shares the slot was taken for it")
		}
		time.Sleep(time.Nanosecond)
		if _, ok := c.get(7, time.Now()); ok {
			t.Error("still remembered when another process may have the number")
		}
	})
}

func TestCallerThatHasDiedIsNoCaller(t *testing.T) {
	k := machine(t)
	cmd := exec.Command("sleep", "60")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	own, err := k.Snapshot().Namespace(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if ns, err := k.Snapshot().Namespace(cmd.Process.Pid); err != nil || ns != own {
		t.Errorf("Namespace of a child: %d, %v, want ours, %d", ns, err, own)
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	time.Sleep(callersKept) // the time itself is what is asked about
	if ns, err := k.Snapshot().Namespace(cmd.Process.Pid); err == nil {
		t.Errorf("namespace of a dead process: %d, want %v", ns, syscall.ENOENT)
	}
}
