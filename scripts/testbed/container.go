package testbed

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Runtime is one way to start a container.
type Runtime struct {
	Name   string
	script string
	args   []string
}

// Runtimes are all ways this bed knows. The "-userns" ones map the container's root to uid
// 100000.
var Runtimes = []Runtime{
	{"crun", "container.sh", []string{"-R", "crun"}},
	{"crun-userns", "container.sh", []string{"-R", "crun", "-u"}},
	{"runc", "container.sh", []string{"-R", "runc"}},
	{"runc-userns", "container.sh", []string{"-R", "runc", "-u"}},
	{"podman-crun", "podman.sh", []string{"-R", "crun"}},
	{"podman-runc", "podman.sh", []string{"-R", "runc"}},
	{"lxc", "lxc.sh", nil},
	{"lxc-userns", "lxc.sh", []string{"-u"}},
}

// Limits are a container's. Zero values set no limit.
type Limits struct {
	Memory     int64   // bytes: memory.max, memory.limit_in_bytes
	MemorySwap int64   // bytes of both: v1's memsw; v2's swap.max is the difference
	CPUs       float64 // cpu.max, cpu.cfs_quota_us over a period of 100 ms
	CPUSet     string  // cpuset.cpus
}

func (l Limits) args() []string {
	var a []string
	if l.Memory > 0 {
		a = append(a, "-m", strconv.FormatInt(l.Memory, 10))
	}
	if l.MemorySwap > 0 {
		a = append(a, "-M", strconv.FormatInt(l.MemorySwap, 10))
	}
	if l.CPUs > 0 {
		a = append(a, "-q", strconv.FormatFloat(l.CPUs, 'f', -1, 64))
	}
	if l.CPUSet != "" {
		a = append(a, "-c", l.CPUSet)
	}
	return a
}

// Container is a running container whose init is a shell.
type Container struct {
	Name string
	// Between the two its init came to life.
	Asked, Answered time.Time

	cmd    *exec.Cmd
	stdin  io.WriteCloser
	lines  chan string
	stderr bytes.Buffer
	init   int // host pid, once somebody asked

	asking sync.Mutex
}

// lifetime bounds a container whose test hangs.
const lifetime = 15 * time.Minute

var serial atomic.Int32

// Start starts a container and waits until its shell answers. The files of the lxcfs
// mounted on dir are bound over its own; with an empty dir it has the kernel's. More are
// further arguments of the runtime's script.
func Start(r Runtime, l Limits, dir string, more ...string) (*Container, error) {
	c := &Container{
		Name:  fmt.Sprintf("lxcfs-test-%d-%d", os.Getpid(), serial.Add(1)),
		Asked: time.Now(),
		lines: make(chan string, 64),
	}
	args := append([]string{}, r.args...)
	args = append(args, l.args()...)
	if dir != "" {
		args = append(args, "-l", dir)
	}
	args = append(args, "-N", c.Name, "-i", "-t", strconv.Itoa(int(lifetime.Seconds())))
	args = append(append(args, more...), "--", "sh")
	c.cmd = exec.Command(filepath.Join(scripts, r.script), args...)
	c.cmd.Stderr = &c.stderr
	c.cmd.WaitDelay = 5 * time.Second
	var err error
	if c.stdin, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := c.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		defer close(c.lines)
		for s := bufio.NewReader(out); ; {
			line, err := s.ReadString('\n')
			if line != "" {
				c.lines <- line
			}
			if err != nil {
				return
			}
		}
	}()
	if _, err := c.Sh("true"); err != nil {
		return nil, fmt.Errorf("%s: %w", r.Name, errors.Join(err, c.Close()))
	}
	c.Answered = time.Now()
	return c, nil
}

// Sh runs a shell script in the container and returns its output, standard error
// included, without the last newline. An exit status other than 0 is an error.
func (c *Container) Sh(script string) (string, error) {
	return c.ShFor(Patience(30*time.Second), script)
}

// ShFor is Sh for a script that may take longer than usual.
func (c *Container) ShFor(limit time.Duration, script string) (string, error) {
	c.asking.Lock()
	defer c.asking.Unlock()
	mark := fmt.Sprintf("-- %s %d --", c.Name, serial.Add(1))
	// The script runs in a subshell: it may exit, and its variables are its own.
	if _, err := fmt.Fprintf(c.stdin, "(\n%s\n) < /dev/null 2>&1\necho \"\n%s $?\"\n", script, mark); err != nil {
		return "", fmt.Errorf("container %s: %w: %s", c.Name, err, c.stderr.String())
	}
	var out strings.Builder
	for end := time.After(limit); ; {
		select {
		case line, ok := <-c.lines:
			if !ok {
				_ = c.cmd.Wait()
				return "", fmt.Errorf("container %s: ended: %s %s", c.Name, out.String(), c.stderr.String())
			}
			if status, found := strings.CutPrefix(line, mark+" "); found {
				text := strings.TrimSuffix(strings.TrimSuffix(out.String(), "\n"), "\n")
				if status != "0\n" {
					return text, fmt.Errorf("container %s: %q: exit status %s: %s", c.Name, script, strings.TrimSpace(status), text)
				}
				return text, nil
			}
			out.WriteString(line)
		case <-end:
			_ = c.cmd.Process.Signal(syscall.SIGTERM)
			return "", fmt.Errorf("container %s: %q: no end within %v: %s", c.Name, script, limit, out.String())
		}
	}
}

// Close ends the container. The script that holds it removes its cgroups and directories.
func (c *Container) Close() error {
	_ = c.stdin.Close()
	go func() {
		for range c.lines { // a full channel would hold up the reader
		}
	}()
	done := make(chan error, 1)
	go func() { done <- c.cmd.Wait() }()
	for _, sig := range []os.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		select {
		case err := <-done:
			if err != nil && c.stderr.Len() > 0 {
				return fmt.Errorf("container %s: %w: %s", c.Name, err, c.stderr.String())
			}
			return nil
		case <-time.After(Patience(10 * time.Second)):
			_ = c.cmd.Process.Signal(sig)
		}
	}
	return fmt.Errorf("container %s: had to be killed", c.Name)
}

// PID is the host's pid of the container's init.
func (c *Container) PID() (int, error) {
	if c.init > 0 {
		return c.init, nil
	}
	ns, err := c.Sh("readlink /proc/1/ns/pid")
	if err != nil {
		return 0, err
	}
	links, err := filepath.Glob("/proc/[0-9]*/ns/pid")
	if err != nil {
		return 0, err
	}
	for _, link := range links {
		if to, err := os.Readlink(link); err != nil || to != ns {
			continue
		}
		dir := filepath.Dir(filepath.Dir(link))
		status, err := os.ReadFile(filepath.Join(dir, "status"))
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(status)) {
			if f := strings.Fields(line); len(f) > 1 && f[0] == "NSpid:" && f[len(f)-1] == "1" {
				c.init, err = strconv.Atoi(filepath.Base(dir))
				return c.init, err
			}
		}
	}
	return 0, fmt.Errorf("container %s: no process is init of %s", c.Name, ns)
}

// Cgroup is the host's directory of the init's cgroup for a controller, "cpu" say.
func (c *Container) Cgroup(controller string) (string, error) {
	pid, err := c.PID()
	if err != nil {
		return "", err
	}
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	if err != nil {
		return "", err
	}
	return directory(string(b), controller)
}

// FromHost runs a command in the container's pid and mount namespaces, but in a cgroup of
// the host: what "docker exec" would be without joining the cgroup.
func (c *Container) FromHost(command ...string) (string, error) {
	pid, err := c.PID()
	if err != nil {
		return "", err
	}
	out, err := exec.Command("nsenter", append([]string{"-t", strconv.Itoa(pid), "-m", "-p", "--"}, command...)...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("nsenter %v: %w: %s", command, err, out)
	}
	return strings.TrimSuffix(string(out), "\n"), nil
}
