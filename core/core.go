package core

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"lxcfs/kernelfs"
)

// Caller is who asks.
type Caller struct {
	PID int    // thread id in the daemon's pid namespace; 0 if not visible there
	UID uint32 // in the daemon's user namespace
}

// Options are the daemon's choices about what containers see.
type Options struct {
	CFS       bool // a CPU quota cuts the number of visible CPUs
	NoSwap    bool // show no swap
	NoZswap   bool // show no zswap
	NoLoadavg bool // show the host's load averages
	PSIPoll   bool // let pressure triggers be written and polled

	// State is memory for [History], which may be shared with a successor of this process; nil for
	// memory of its own. [StateSize] says how much.
	State []byte
	// MaxContainers bounds how many containers are remembered; 0 for 4096. Each keeps two
	// descriptors open.
	MaxContainers int
	Log           *slog.Logger // nil: silent
}

// Core answers for one host. It is safe for concurrent use. It starts no goroutine and has no clock
// but the host's /proc/uptime.
type Core struct {
	k     *kernelfs.FS
	opt   Options
	log   *slog.Logger
	off   atomic.Bool
	views sync.Pool

	known   known
	history *History
	load    follow

	warned warnings
}

// New returns a Core for the kernel files in k, whose cgroup hierarchies it detects.
func New(k *kernelfs.FS, o Options) (*Core, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.MaxContainers == 0 {
		o.MaxContainers = 4096
	}
	if err := k.Detect(); err != nil {
		return nil, err
	}
	c := &Core{k: k, opt: o, log: o.Log}
	c.known.init(o.MaxContainers, k.Died, c.load.drop)
	c.load.asked = make(chan struct{}, 1)
	c.views.New = func() any { return &View{Snapshot: k.Snapshot(), core: c} }
	cpus, err := c.hostCPUs()
	if err != nil {
		return nil, err
	}
	if o.State == nil {
		o.State = make([]byte, StateSize(o.MaxContainers, cpus))
	}
	c.history = newHistory(o.State, cpus)
	return c, nil
}

// hostCPUs returns how many CPU numbers the host may ever use, from the list of possible CPUs.
func (c *Core) hostCPUs() (int, error) {
	s := c.k.Snapshot()
	text, err := s.CPURead("possible")
	if kernelfs.Missing(err) {
		online, err := s.Online(nil)
		return max(1, online.Max()+1), ignoreMissing(err)
	}
	if err != nil {
		return 0, err
	}
	possible, err := kernelfs.ParseCPUList("possible", text, nil)
	return max(1, possible.Max()+1), err
}

func ignoreMissing(err error) error {
	if kernelfs.Missing(err) {
		return nil
	}
	return err
}

// Reload detects the host's cgroup hierarchies anew and forgets which containers there are. Their
// counters and load averages go on.
func (c *Core) Reload() error {
	if err := c.k.Detect(); err != nil {
		return err
	}
	c.known.forgetAll()
	return nil
}

// Virtualize switches between containers' views (true) and the host's files (false).
func (c *Core) Virtualize(on bool) { c.off.Store(!on) }

// Virtualized reports what Virtualize last set; true at first.
func (c *Core) Virtualized() bool { return !c.off.Load() }

// Read appends the content of the served file path, as who sees it, to dst. Errors are
// fs.ErrNotExist for what is not served or not visible, fs.ErrPermission, and what the kernel
// answered otherwise; dst is then returned as it was.
func (c *Core) Read(who Caller, path string, dst []byte) ([]byte, error) {
	v := c.view(who)
	defer c.done(v)
	return c.read(v, path, dst)
}

func (c *Core) read(v *View, path string, dst []byte) ([]byte, error) {
	f := rows[path]
	if f == nil {
		return c.readCPUTree(v, path, dst)
	}
	if c.off.Load() {
		if f.sys() {
			return dst, syscall.EIO
		}
		return c.readHost(v, f, dst)
	}
	v.out = dst
	err := c.resolve(v)
	if err == nil {
		err = f.render(v)
	}
	out := v.out
	v.out = nil
	if err == nil {
		return out, nil
	}
	// Whatever was rendered before the error is not returned. What out holds beyond dst is the
	// caller's to use again.
	out = out[:len(dst)]
	var pe *kernelfs.ParseError
	switch {
	case errors.Is(err, errHost):
	case kernelfs.Missing(err):
		c.log.Debug("host's file served", "file", path, "pid", v.who.PID, "err", err)
	case errors.As(err, &pe):
		if c.warned.due(path + pe.Path + pe.Err.Error()) {
			c.log.Warn("kernel file not as documented, host's file served", "file", path, "pid", v.who.PID, "err", err)
		}
	default:
		return out, fmt.Errorf("%s: %w", path, err)
	}
	return c.readHost(v, f, out)
}

// errHost says that the caller's view of a file is the host's.
var errHost = errors.New("the host's")

// readHost appends the host's own file. What only root may read on the host is not handed to others.
func (c *Core) readHost(v *View, f *File, dst []byte) ([]byte, error) {
	if f.RootOnly && v.who.UID != 0 {
		return dst, fmt.Errorf("%s: %w", f.Path, fs.ErrPermission)
	}
	text, err := v.ReadPath("/" + f.Path)
	if err != nil {
		return dst, err
	}
	if v.why != nil {
		v.because("", "the host's /%s", f.Path)
	}
	return append(dst, text...), nil
}

// warnings says when a repeated warning is due again: once a minute for each cause. Past 256 causes
// in a minute the rest is silent.
type warnings struct {
	mu   sync.Mutex
	seen map[string]struct{}
	at   time.Time
}

func (w *warnings) due(cause string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if now := time.Now(); now.Sub(w.at) > time.Minute {
		w.at, w.seen = now, map[string]struct{}{}
	}
	if _, ok := w.seen[cause]; ok || len(w.seen) >= 256 {
		return false
	}
	w.seen[cause] = struct{}{}
	return true
}
