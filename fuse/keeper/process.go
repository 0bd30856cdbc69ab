package keeper

import (
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"

	"lxcfs/fuse/conn"

	"golang.org/x/sys/unix"
)

// process is a worker as its keeper sees it.
type process struct {
	proc    *os.Process
	mu      sync.Mutex
	control int              // -1 when the worker has closed its side
	said    chan message     // what it says; closed when it is gone
	dead    chan struct{}    // closed when all its threads are gone: wait4(2) has said so
	how     *os.ProcessState // nil if the keeper whose place we took had been told already
	born    time.Time
	version string // from its hello; "" before
	serving bool
}

// start runs the program on disk as a worker.
func (k *Keeper) start() (*process, error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	defer unix.Close(pair[1])
	// Not os.StartProcess: an os.File would put the connection into our poller, which would wake for every request.
	pid, err := syscall.ForkExec(k.o.Program, k.o.Args, &syscall.ProcAttr{
		Env:   append(os.Environ(), workerEnv+"=3,4,5"),
		Files: []uintptr{0, 1, 2, uintptr(k.fuse), uintptr(k.state), uintptr(pair[1])},
		// Its own group: a ^C is for the keeper, which decides.
		Sys: &syscall.SysProcAttr{Setpgid: true},
	})
	if err != nil {
		unix.Close(pair[0])
		return nil, fmt.Errorf("start %s: %w", k.o.Program, err)
	}
	return watch(pid, pair[0])
}

// watch follows a process that has been started, by us or by the keeper whose place we took.
func watch(pid, control int) (*process, error) {
	proc, err := os.FindProcess(pid)
	if err != nil {
		return nil, fmt.Errorf("worker %d: %w", pid, err)
	}
	p := &process{proc: proc, control: control, said: make(chan message, 16), dead: make(chan struct{}), born: time.Now()}
	go func() {
		defer close(p.said)
		for {
			m, err := receive(control)
			if err != nil {
				p.mu.Lock()
				unix.Close(control)
				p.control = -1
				p.mu.Unlock()
				return
			}
			p.said <- m
		}
	}()
	go func() {
		p.how, _ = proc.Wait()
		close(p.dead)
	}()
	return p, nil
}

// hello waits for p's hello and checks it.
func (p *process) hello(deadline time.Duration) error {
	late := time.After(deadline)
	select {
	case m, ok := <-p.said:
		switch {
		case !ok:
			select {
			case <-p.dead:
				return fmt.Errorf("worker died at once: %v", p.how)
			case <-late:
				return fmt.Errorf("worker closed its control socket")
			}
		case m.Say == "refuse":
			return fmt.Errorf("worker refuses: %s", m.Error)
		case m.Say != "hello":
			return fmt.Errorf("worker says %q, not hello", m.Say)
		case m.Layout != conn.Layout:
			return fmt.Errorf("worker %s knows state layout %d, the state in use is %d", m.Version, m.Layout, conn.Layout)
		}
		p.version = m.Version
		return nil
	case <-late:
		return fmt.Errorf("worker said nothing in %v", deadline)
	}
}

// serve tells p to go on where the one before, which ended for cause, left off.
func (p *process) serve(cause conn.Cause) error {
	p.born = time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := send(p.control, message{Say: "serve", Cause: cause}); err != nil {
		return fmt.Errorf("worker %d: %w", p.proc.Pid, err)
	}
	return nil
}

// kill ends p and waits until it is wholly gone. What it was working on is in the state.
func (p *process) kill() {
	p.proc.Kill()
	<-p.dead
}

// cause says how p ended.
func (p *process) cause() conn.Cause {
	if p.how == nil {
		return conn.Killed
	}
	ws, ok := p.how.Sys().(syscall.WaitStatus)
	if ok && ws.Signaled() && (ws.Signal() == syscall.SIGKILL || ws.Signal() == syscall.SIGTERM) {
		return conn.Killed
	}
	return conn.Crashed
}

// endedWell reports whether p has exited because there was nothing left to serve.
func (p *process) endedWell() bool { return p.isDead() && p.how != nil && p.how.Success() }

func (p *process) isDead() bool {
	select {
	case <-p.dead:
		return true
	default:
		return false
	}
}
