//go:build integration

package capture

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"lxcfs/cmd/internal/archive"
)

// TestCommand captures a process of this machine that is the init of a pid namespace of its own.
func TestCommand(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Fatal("needs root, for a pid namespace")
	}
	sleep := exec.Command("sleep", "300")
	sleep.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID, Pdeathsig: syscall.SIGKILL}
	if err := sleep.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sleep.Process.Kill(); _ = sleep.Wait() })
	file := filepath.Join(t.TempDir(), "here.txtar")
	c := Command()
	var log bytes.Buffer
	c.SetOut(&log)
	c.SetErr(&log)
	c.SetArgs([]string{"--pid", strconv.Itoa(sleep.Process.Pid), "--enable-cfs", "--comment", "a test", "-o", file})
	if err := c.Execute(); err != nil {
		t.Fatalf("capture: %v\n%s", err, log.String())
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	a, err := archive.Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	if a.Caller != sleep.Process.Pid || strings.Join(a.Flags, " ") != "--enable-cfs" || !strings.Contains(a.Comment, "a test") {
		t.Errorf("caller %d, flags %q, comment %q, want what was asked for", a.Caller, a.Flags, a.Comment)
	}
	if strings.Contains(string(data), "(sleep)") {
		t.Error("the archive names the command")
	}
	for _, e := range a.Want {
		if e.Path == "proc/uptime" && !strings.HasPrefix(string(e.Text), "0.") {
			t.Errorf("uptime %q of a process that has just started", e.Text)
		}
	}
}

func TestCommandErrors(t *testing.T) {
	for _, tt := range []struct{ args, want string }{
		{"", "--pid PID wanted"},
		{"--pid 4194305", "no process 4194305 here"},
		{"--pid " + strconv.Itoa(os.Getpid()) + " --with-lxcfs /nonexistent", "our own pid namespace"},
	} {
		c := Command()
		c.SilenceUsage, c.SilenceErrors = true, true
		c.SetOut(new(bytes.Buffer))
		c.SetErr(new(bytes.Buffer))
		c.SetArgs(strings.Fields(tt.args))
		if err := c.Execute(); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("capture %s = %v, want %q", tt.args, err, tt.want)
		}
	}
}
