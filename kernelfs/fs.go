package kernelfs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/spf13/afero"
)

// FS is a host's kernel files, real or fake. It is safe for concurrent use.
type FS struct {
	fs   afero.Fs // read-only
	raw  afero.Fs // as given: only a pressure trigger is written
	host *host    // faster ways of the machine's own files, nil for any other afero.Fs

	open openFiles

	// Files of the host that every container's view is made from.
	Meminfo, CPUInfo, Stat, Uptime, Diskstats, OnlineCPUs *HostFile

	own   uint64        // the daemon's own pid namespace, 0 if unknown
	split time.Duration // how old cpuacct.usage_all may be

	mu       sync.RWMutex
	mounted  []*Hierarchy
	byMember [nControllers]*Hierarchy
}

// errGone is what a kernel file answers when the thing it described has gone.
var errGone = errors.New("gone")

// New returns the kernel files found in fs, whose root is the host's "/".
func New(fs afero.Fs) *FS {
	k := &FS{fs: afero.NewReadOnlyFs(fs), raw: fs}
	k.init(0)
	return k
}

// Host returns the kernel files of the machine this process runs on. Files are kept open between
// reads, at most maxOpen of them, the least recently used closed first (at least 64), and a pidfd for each
// caller that asks again and again, at most a sixteenth of that.
func Host(maxOpen int) (*FS, error) {
	h, err := newHost(maxOpen)
	if err != nil {
		return nil, err
	}
	k := &FS{fs: afero.NewReadOnlyFs(afero.NewOsFs()), host: h}
	k.open.max = max(64, maxOpen)
	k.init(sharedFor)
	return k, nil
}

// init names the host's own files. Their text may be ttl old where it only serves for labels and for
// lines that containers share: reading it anew costs 6 to 22 us for two CPUs and grows with them.
func (k *FS) init(ttl time.Duration) {
	k.Meminfo = &HostFile{File: k.File("/proc/meminfo"), ttl: ttl}
	k.Stat = &HostFile{File: k.File("/proc/stat"), ttl: ttl}
	k.Diskstats = &HostFile{File: k.File("/proc/diskstats"), ttl: ttl}
	k.OnlineCPUs = &HostFile{File: k.File(cpuDir + "/online"), ttl: ttl}
	k.CPUInfo = &HostFile{File: k.File("/proc/cpuinfo"), ttl: 10 * ttl}
	k.split = ttl / 10
	k.Uptime = &HostFile{File: k.File("/proc/uptime")}
	if link, err := k.readlink("/proc/self/ns/pid"); err == nil {
		if ns, ok := parseNamespace([]byte(link)); ok {
			k.own = ns
		}
	}
}

// cpuDir is the tree of CPU devices, Documentation/ABI/testing/sysfs-devices-system-cpu.
const cpuDir = "/sys/devices/system/cpu"

// File returns a handle on the kernel file at path; nothing is opened before the first read.
func (k *FS) File(path string) *File {
	return &File{fs: k, path: path, whole: whole(path), fd: -1}
}

// File is one kernel file, kept open between reads where the machine's own are read: a cgroup file
// costs 6.4 us by open, read and close, and 0.6 us by pread on a kept descriptor; kernel files render
// anew at offset 0. Safe for concurrent use.
type File struct {
	fs    *FS
	path  string
	whole bool
	size  atomic.Int32 // of the largest answer so far: the next buffer

	patience atomic.Int32 // how many more reads give the processor up, see Snapshot.Reset

	mu   sync.RWMutex // held for reading during a pread, for writing while fd changes
	fd   int
	used atomic.Bool // since the hand of openFiles last passed

	turn sync.Mutex // of readers who need several preads
}

// Path returns where the file is.
func (f *File) Path() string { return f.path }

// appendTo appends the file's content to dst.
func (f *File) appendTo(dst []byte) ([]byte, error) {
	if f.fs.host != nil {
		return f.pread(dst)
	}
	data, err := f.fs.readFile(f.path)
	return append(dst, data...), err
}

// Close gives the descriptor back. The file can be read again; it is then opened anew.
func (f *File) Close() {
	if f == nil || f.fs.host == nil {
		return
	}
	f.fs.open.drop(f)
}

// maxFile bounds what one kernel file may hold: 1024 CPUs make a /proc/cpuinfo of 1.6 MB.
const maxFile = 64 << 20

// readFile reads a file once.
func (k *FS) readFile(path string) ([]byte, error) {
	if k.host != nil {
		data, err := readOnce(path)
		if err != nil {
			return nil, pathError(path, err)
		}
		return data, nil
	}
	return k.readPatiently(path)
}

// readHead reads what one read(2) of len(buf) bytes gives of a file.
func (k *FS) readHead(path string, buf []byte) ([]byte, error) {
	if k.host == nil {
		return k.readPatiently(path)
	}
	n, err := readHead(path, buf)
	if err != nil {
		return nil, pathError(path, err)
	}
	return buf[:n], nil
}

// readPatiently is readFile by ordinary system calls, as readlink's and readDir's are: others go on while the kernel takes its time.
func (k *FS) readPatiently(path string) ([]byte, error) {
	f, err := k.fs.Open(path)
	if err != nil {
		return nil, pathError(path, err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile))
	if err != nil {
		return nil, pathError(path, err)
	}
	return data, nil
}

func (k *FS) readlink(path string) (string, error) {
	l, ok := k.fs.(afero.LinkReader)
	if !ok {
		return "", fmt.Errorf("%s: %w", path, afero.ErrNoReadlink)
	}
	target, err := l.ReadlinkIfPossible(path)
	if err != nil {
		return "", pathError(path, err)
	}
	return target, nil
}

func (k *FS) readDir(path string) ([]fs.FileInfo, error) {
	list, err := afero.ReadDir(k.fs, path)
	if err != nil {
		return nil, pathError(path, err)
	}
	return list, nil
}

func (k *FS) lstat(path string) (fs.FileInfo, error) {
	var fi fs.FileInfo
	var err error
	if l, ok := k.fs.(afero.Lstater); ok {
		fi, _, err = l.LstatIfPossible(path)
	} else {
		fi, err = k.fs.Stat(path)
	}
	if err != nil {
		return nil, pathError(path, err)
	}
	return fi, nil
}

// pathError names the file once and tells files that have gone by errGone.
func pathError(path string, err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		err = pe.Err
	}
	if errors.Is(err, syscall.ENODEV) || errors.Is(err, syscall.ESRCH) || errors.Is(err, syscall.EOPNOTSUPP) {
		err = errors.Join(errGone, err)
	}
	return &fs.PathError{Op: "read", Path: path, Err: err}
}

// openFiles bounds the descriptors of kept files by the clock algorithm: a hand passes over the open
// files and closes those not used since it last passed.
type openFiles struct {
	max int

	mu    sync.Mutex
	files []*File
	hand  int
}

// add counts f as open and returns a file to close instead, if there are too many.
func (o *openFiles) add(f *File) (evict *File) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.files) < o.max {
		o.files = append(o.files, f)
		return nil
	}
	for {
		o.hand = (o.hand + 1) % len(o.files)
		if g := o.files[o.hand]; !g.used.Swap(false) {
			o.files[o.hand] = f
			return g
		}
	}
}

// drop closes f if it is open.
func (o *openFiles) drop(f *File) {
	o.mu.Lock()
	for i, g := range o.files {
		if g == f {
			last := len(o.files) - 1
			o.files[i] = o.files[last]
			o.files[last] = nil
			o.files = o.files[:last]
			break
		}
	}
	o.mu.Unlock()
	f.shut()
}
