package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// container is a process in cgroups and namespaces of its own.
type container struct {
	cmd     *exec.Cmd
	in      io.WriteCloser
	out     *json.Decoder
	cgroups []string
}

func startContainer(dir string, i int) (*container, error) {
	limit := (64 + 16*i) << 10
	c := &container{cmd: exec.Command("/proc/self/exe")}
	c.cmd.Args = []string{"container", dir, strconv.Itoa(limit), strconv.Itoa(*threads), patience.String()}
	c.cmd.Stderr = os.Stderr
	var err error
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	c.out = json.NewDecoder(out)
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWPID | unix.CLONE_NEWNS, Pdeathsig: unix.SIGKILL}
	if err := c.makeCgroups(fmt.Sprintf("lxcfs-chaos-%d-%d", os.Getpid(), i), limit); err != nil {
		return c, err
	}
	if err := c.cmd.Start(); err != nil {
		return c, err
	}
	for _, cg := range c.cgroups {
		if err := os.WriteFile(cg+"/cgroup.procs", []byte(strconv.Itoa(c.cmd.Process.Pid)), 0); err != nil {
			return c, err
		}
	}
	_, err = fmt.Fprintln(c.in)
	return c, err
}

// makeCgroups makes the container's cgroups, in each hierarchy that limits memory or counts CPU time.
func (c *container) makeCgroups(name string, limit int) error {
	file := "memory.max"
	roots := []string{"/sys/fs/cgroup"}
	if _, err := os.Stat("/sys/fs/cgroup/memory"); err == nil {
		file, roots = "memory.limit_in_bytes", []string{"/sys/fs/cgroup/memory", "/sys/fs/cgroup/cpuacct"}
	} else {
		if err := os.WriteFile("/sys/fs/cgroup/cgroup.subtree_control", []byte("+memory +cpu"), 0); err != nil {
			return err
		}
	}
	for _, root := range roots {
		cg := root + "/" + name
		if err := os.Mkdir(cg, 0o755); err != nil {
			return err
		}
		c.cgroups = append(c.cgroups, cg)
	}
	return os.WriteFile(c.cgroups[0]+"/"+file, []byte(strconv.Itoa(limit<<10)), 0)
}

// collect asks the containers what they have seen since the last time. A container that does not answer hangs.
func collect(cs []*container) tally {
	answers := make(chan tally, len(cs))
	for _, c := range cs {
		fmt.Fprintln(c.in)
		go func() {
			var t tally
			if err := c.out.Decode(&t); err != nil {
				t = tally{Failed: 1, First: err.Error()}
			}
			answers <- t
		}()
	}
	var sum tally
	late := time.After(*patience + 5*time.Second)
	for range cs {
		select {
		case t := <-answers:
			sum.add(t)
		case <-late:
			sum.add(tally{Hung: *threads, First: "container does not answer"})
			late = time.After(0)
		}
	}
	return sum
}

func (c *container) stop() {
	if c.cmd.Process != nil {
		c.cmd.Process.Kill()
		go func() { _ = c.cmd.Wait() }() // readers of a dead connection cannot be killed before it is aborted
	}
	for _, cg := range c.cgroups {
		for range 100 {
			if unix.Rmdir(cg) == nil {
				break
			}
			time.Sleep(20 * time.Millisecond)
		}
	}
}
