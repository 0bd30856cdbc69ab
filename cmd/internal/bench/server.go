package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// The names of the servers that rows and goals speak of.
const (
	Ours = "ours"
	Peer = "peer" // LXCFS
	Null = "null" // answers every read with the same bytes
	Host = "host" // no server at all: the kernel's own files
)

// Launch says how to start a server: its command line, to which
// "-p PIDFILE DIRECTORY" is added, as LXCFS takes them. The server stays in the
// foreground and is up when DIRECTORY/proc/uptime can be opened.
//
// Without a command line the server is there already, at Root and, if that is not
// known, without a process PID. It is measured as it runs: rows that want servers
// started anew or with load averages do not get them.
type Launch struct {
	Name    string
	Command []string
	Root    string
	PID     int
}

// Server is a directory with a proc and a sys tree, and who serves it.
type Server struct {
	Name string
	Root string
	pids []int // roots of its process trees

	cmd  *exec.Cmd
	done chan struct{} // closed when the process has ended
	exit error         // how, once done is closed
	log  *bytes.Buffer
}

// start starts a server on a new directory below dir and waits until it answers.
// It is started on the forker's thread and ends when that does.
func (l Launch) start(ctx context.Context, dir string, f forker) (*Server, error) {
	if len(l.Command) == 0 {
		s := &Server{Name: l.Name, Root: l.Root}
		if l.PID != 0 {
			s.pids = []int{l.PID}
		}
		return s, nil
	}
	s := &Server{Name: l.Name, done: make(chan struct{}), log: new(bytes.Buffer)}
	var err error
	if s.Root, err = os.MkdirTemp(dir, l.Name+"-"); err != nil {
		return nil, err
	}
	args := append(l.Command[1:len(l.Command):len(l.Command)], "-p", s.Root+".pid", s.Root)
	s.cmd = exec.Command(l.Command[0], args...)
	s.cmd.Stdout, s.cmd.Stderr = s.log, s.log
	// A process group of its own: an interrupt typed at us must find its mount alive
	// while the readers are being removed.
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: unix.SIGTERM}
	if err := f.do(s.cmd.Start); err != nil {
		return nil, fmt.Errorf("server %s: %w", l.Name, err)
	}
	s.pids = []int{s.cmd.Process.Pid}
	go func() {
		s.exit = s.cmd.Wait()
		close(s.done)
	}()

	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	for !s.up() {
		select {
		case <-s.done:
			return nil, errors.Join(fmt.Errorf("server %s ended and said: %s", l.Name, tail(s.log.String())), s.exit, s.stop())
		case <-ctx.Done():
			return nil, errors.Join(fmt.Errorf("server %s is not up: %w", l.Name, ctx.Err()), s.stop())
		case <-time.After(10 * time.Millisecond):
		}
	}
	return s, nil
}

func (s *Server) up() bool {
	var fs unix.Statfs_t
	if err := unix.Statfs(s.Root, &fs); err != nil || fs.Type != unix.FUSE_SUPER_MAGIC {
		return false
	}
	f, err := os.Open(s.Root + "/proc/uptime")
	if err != nil {
		return false
	}
	f.Close()
	return true
}

// stop ends a server that was started here, and its mount: SIGTERM first. LXCFS
// with load averages takes up to 5 s to end.
func (s *Server) stop() error {
	if s.cmd == nil {
		return nil
	}
	all := tree(s.pids[0])
	if err := s.cmd.Process.Signal(unix.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-s.done:
	case <-time.After(8 * time.Second):
		for _, pid := range all {
			if err := unix.Kill(pid, unix.SIGKILL); err != nil && err != unix.ESRCH {
				return fmt.Errorf("kill %d of server %s: %w", pid, s.Name, err)
			}
		}
		<-s.done
	}
	if err := unix.Unmount(s.Root, unix.MNT_DETACH); err != nil && err != unix.EINVAL {
		return fmt.Errorf("unmount %s: %w", s.Root, err)
	}
	return os.Remove(s.Root)
}

// path is where the file, "/proc/meminfo", is found on this server.
func (s *Server) path(file string) string { return filepath.Join("/", s.Root, file) }

func (s *Server) paths(files []string) (list []string) {
	for _, f := range files {
		list = append(list, s.path(f))
	}
	return list
}

func tail(log string) string {
	lines := strings.Split(strings.TrimSpace(log), "\n")
	return strings.Join(lines[max(0, len(lines)-3):], "; ")
}
