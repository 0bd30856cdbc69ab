package keeper

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"lxcfs/fuse/conn"

	"golang.org/x/sys/unix"
)

// workerEnv names the descriptors a worker inherits: the connection, the state and the control socket.
const workerEnv = "LXCFS_WORKER"

// message is what keeper and worker say to each other, as JSON, one to a packet.
type message struct {
	Say     string     // hello, refuse, serve, serving
	Version string     `json:",omitempty"` // hello: the worker's program
	Layout  int        `json:",omitempty"` // hello: the state's layout it knows
	Error   string     `json:",omitempty"` // refuse: why
	Cause   conn.Cause `json:",omitempty"` // serve: how the worker before ended
}

// Worker is this process, when a [Keeper] started it to serve.
type Worker struct {
	fuse, state, control int
}

// Inherited returns this process as a worker, or nil if it was not started as one. Call it before anything else opens
// files, and before any other process is started: it takes the descriptors out of what children inherit.
func Inherited() (*Worker, error) {
	fds, err := fdsFrom(workerEnv, 3)
	if fds == nil || err != nil {
		return nil, err
	}
	return &Worker{fds[0], fds[1], fds[2]}, nil
}

// fdsFrom reads n descriptors from the environment variable name, which it removes, and sets them close-on-exec.
func fdsFrom(name string, n int) ([]int, error) {
	text, ok := os.LookupEnv(name)
	if !ok {
		return nil, nil
	}
	os.Unsetenv(name)
	var fds []int
	for field := range strings.SplitSeq(text, ",") {
		fd, err := strconv.Atoi(field)
		if err == nil {
			_, err = unix.FcntlInt(uintptr(fd), unix.F_SETFD, unix.FD_CLOEXEC)
		}
		if err != nil {
			return nil, fmt.Errorf("%s=%s: %w", name, text, err)
		}
		fds = append(fds, fd)
	}
	if len(fds) != n {
		return nil, fmt.Errorf("%s=%s: want %d descriptors", name, text, n)
	}
	return fds, nil
}

// Hello says what this program is and, in selfTest, whether it works, and waits until the keeper wants it to serve: at once,
// or when the worker it replaces or stands by for is wholly dead. It returns how that one ended. Until then the
// state must not be written to.
func (w *Worker) Hello(version string, selfTest error) (conn.Cause, error) {
	if selfTest != nil {
		err := send(w.control, message{Say: "refuse", Error: selfTest.Error()})
		return 0, errors.Join(fmt.Errorf("self-test: %w", selfTest), err)
	}
	if err := send(w.control, message{Say: "hello", Version: version, Layout: conn.Layout}); err != nil {
		return 0, fmt.Errorf("keeper: %w", err)
	}
	m, err := receive(w.control)
	if err != nil {
		return 0, fmt.Errorf("keeper: %w", err)
	}
	if m.Say != "serve" {
		return 0, fmt.Errorf("keeper says %q, not serve", m.Say)
	}
	return m.Cause, nil
}

// Conn takes the connection over, after Hello.
func (w *Worker) Conn(o conn.Options) (*conn.Conn, error) {
	serving := o.Serving
	o.Serving = func() {
		_ = send(w.control, message{Say: "serving"}) // a keeper that is gone does not matter to clients
		if serving != nil {
			serving()
		}
	}
	c, err := conn.Adopt(w.fuse, w.state, o)
	if err != nil {
		return nil, err
	}
	if start, err := startTime(os.Getpid()); err == nil {
		c.State.SetWorker(os.Getpid(), start)
	}
	return c, nil
}

// startTime returns when pid started: field 22 of /proc/PID/stat, counted behind the name's last parenthesis.
func startTime(pid int) (uint64, error) {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	if len(fields) < 20 {
		return 0, fmt.Errorf("/proc/%d/stat: %d fields", pid, len(fields))
	}
	return strconv.ParseUint(fields[19], 10, 64)
}

func send(fd int, m message) error {
	b, err := json.Marshal(m)
	if err != nil {
		return err
	}
	return unix.Send(fd, b, unix.MSG_NOSIGNAL)
}

// receive waits for one message.
func receive(fd int) (message, error) {
	var m message
	b := make([]byte, 4096)
	for {
		n, _, err := unix.Recvfrom(fd, b, 0)
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.EAGAIN:
			time.Sleep(time.Millisecond)
			continue
		case err != nil:
			return m, err
		case n == 0:
			return m, errors.New("the other side is gone")
		}
		return m, json.Unmarshal(b[:n], &m)
	}
}
