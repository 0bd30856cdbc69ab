package core

import (
	"io/fs"
	"log/slog"

	"lxcfs/kernelfs"
)

// Caller is who asks.
type Caller struct {
	PID int    // thread id in the daemon's pid namespace; 0 if not visible there
	UID uint32 // in the daemon's user namespace
}

// Options are the daemon's choices about what containers see.
type Options struct {
	CFS       bool         // a CPU quota cuts the number of visible CPUs
	NoSwap    bool         // show no swap
	NoZswap   bool         // show no zswap
	NoLoadavg bool         // show the host's load averages
	PSIPoll   bool         // let pressure triggers be written and polled
	State     []byte       // memory for History that may outlive the process; nil: the heap
	Log       *slog.Logger // nil: silent
}

// Core answers for one host.
type Core struct{}

// Entry is one name of the served tree.
type Entry struct {
	Name string      // last element of Path
	Path string      // without leading slash; "" is the root
	Mode fs.FileMode // type and permissions
	CPU  int         // number of the CPU whose cpuN directory holds it, else -1
}

// New returns a Core for the kernel files in k.
func New(k *kernelfs.FS, o Options) (*Core, error) { return &Core{}, nil }

// Read appends the content of the served file path, as who sees it, to dst.
func (c *Core) Read(who Caller, path string, dst []byte) ([]byte, error) {
	return dst, fs.ErrNotExist
}

// Stat returns the entry at path as who sees it, or fs.ErrNotExist.
func (c *Core) Stat(who Caller, path string) (Entry, error) { return Entry{}, fs.ErrNotExist }

// List returns the names in dir as who sees them, without "." and "..".
func (c *Core) List(who Caller, dir string) ([]Entry, error) { return nil, fs.ErrNotExist }

// Readlink returns the target of the symbolic link at path.
func (c *Core) Readlink(who Caller, path string) (string, error) { return "", fs.ErrNotExist }

// Trigger writes a pressure trigger for who's container and returns it armed.
func (c *Core) Trigger(who Caller, path string, text []byte) (*kernelfs.Trigger, error) {
	return nil, fs.ErrNotExist
}

// Tick samples the load of every container that asked for it. Call it every 5 s while Ticking.
func (c *Core) Tick() {}

// Ticking reports whether any container's load is being followed.
func (c *Core) Ticking() bool { return false }

// Asked receives a value when a container asks for its load and nobody's was followed before.
func (c *Core) Asked() <-chan struct{} { return nil }

// Reload detects the host's cgroup hierarchies anew.
func (c *Core) Reload() error { return nil }

// Virtualize switches between containers' views (true) and the host's files (false).
func (c *Core) Virtualize(on bool) {}

// Virtualized reports what Virtualize last set; true at first.
func (c *Core) Virtualized() bool { return true }
