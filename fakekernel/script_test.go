package fakekernel

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// cat is the smallest Subject: it serves the kernel's own files and counts ticks.
type cat struct {
	k     *Kernel
	ticks int
}

func newCat(k *Kernel, args ...string) (Subject, error) { return &cat{k: k}, nil }

func (c *cat) Read(pid int, uid uint32, file string) ([]byte, error) {
	if file == "/ticks" {
		return appendLine(nil, int64(c.ticks)), nil
	}
	if file == "/caller" {
		return appendKV(appendKV(nil, "pid", int64(pid)), "uid", int64(uid)), nil
	}
	if file == "proc/meminfo" {
		return c.memTotal(pid)
	}
	return c.k.ReadFile(strings.ReplaceAll(file, "PID", strconv.Itoa(pid)))
}

// memTotal is a meminfo of one line: the limit of the caller's memory cgroup.
func (c *cat) memTotal(pid int) ([]byte, error) {
	b, err := c.k.ReadFile("/proc/" + strconv.Itoa(pid) + "/cgroup")
	if err != nil {
		return nil, err
	}
	for line := range lines(b) {
		_, rest, _ := strings.Cut(line, ":")
		ctls, cg, _ := strings.Cut(rest, ":")
		file := "/sys/fs/cgroup/memory" + cg + "/memory.limit_in_bytes"
		if c.k.Layout() == "unified" {
			file = "/sys/fs/cgroup" + cg + "/memory.max"
		} else if ctls != "memory" {
			continue
		}
		limit, err := c.k.ReadFile(file)
		if err != nil {
			return nil, err
		}
		n, err := parseSize(strings.TrimSpace(string(limit)))
		return appendMeminfo(nil, "MemTotal:", n>>10), err
	}
	return nil, os.ErrNotExist
}

func (c *cat) List(_ int, dir string) ([]string, error) {
	f, err := c.k.Open(dir)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.Readdirnames(-1)
}

func (c *cat) Tick() { c.ticks++ }

const lifeScript = `
boot $layout kernel=6.1 cpus=4 memory=8G swap=2G
cgroup create /lxc/web
limit memory /lxc/web 512M
limit swap /lxc/web 0
limit cpu /lxc/web 1.5
spawn init in /lxc/web pidns=new comm='a b) (c' uid=1000 threads=2
run init user=3 system=1
charge /lxc/web anon=100M file=50M
tick 12s
read /ticks as init
stdout '^2$'
read /caller as init
stdout '^uid 1000$'
read /proc/PID/stat as init
stdout '^1000 \(a b\) \(c\) R 1 '
read /proc/PID/status as init
stdout '^NSpid:	1000	1$'
[legacy] read /sys/fs/cgroup/cpuacct/lxc/web/cpuacct.usage as init
[hybrid] read /sys/fs/cgroup/cpuacct/lxc/web/cpuacct.usage as init
[!unified] stdout '^18000000000$'
[unified] read /sys/fs/cgroup/lxc/web/cpu.stat as init
[unified] stdout '^usage_usec 18000000$'
list /proc/PID/task as init uid=0
! stdout PID
! read /nowhere as init
stderr ENOENT
write /proc/meminfo MemTotal:  1 kB\nMemFree: 2 kB
read /proc/meminfo as init
stdout '^MemFree: 2 kB$'
fail /proc/meminfo EACCES
! read /proc/meminfo as init
stderr EACCES
remove /proc/meminfo
! read /proc/meminfo as init
stderr ENOENT
! charge /lxc/web anon=1G
stderr ENOMEM
reuse init as other in /lxc/other pidns=new
read /proc/PID/cgroup as other
stdout :/lxc/other$
kill other
! read /proc/PID/cgroup as other
cgroup remove /lxc/web
! limit memory /lxc/web 1G
stderr ENOENT
`

func TestScript(t *testing.T) {
	dir := t.TempDir()
	script := strings.ReplaceAll(lifeScript, "list /proc/PID/task as init uid=0\n! stdout PID\n", "list /proc/1000/task as init\nstdout '^1001$'\n")
	if err := os.WriteFile(filepath.Join(dir, "life.txtar"), []byte(script), 0o600); err != nil {
		t.Fatal(err)
	}
	Run(t, testscript.Params{Dir: dir}, newCat)
}

func TestReplay(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		reason, script, want string
		trace, fails         bool
	}{
		{"traces what is read", "boot unified\nspawn p in /a\nread /caller as p\n", "> read /caller as p\n    | pid 1000\n    | uid 0\n", true, false},
		{"traces what is listed", "boot unified\nlist /proc/self/ns as 1\n", "> list /proc/self/ns as 1\n    | pid\n    | pid_for_children\n", true, false},
		{"passes and traces", "boot unified\ncgroup create /a\nlimit memory /a 64M\n", "/sys/fs/cgroup/a/memory.max: max -> 67108864", true, false},
		{"fails with the line", "boot unified\nlimit memory /b 64M\n", "limit", false, true},
		{"kill is ours", "boot legacy\nspawn x in /a\nkill x\n! kill x\nstderr ESRCH\n", "ok", false, false},
	} {
		file := filepath.Join(dir, "s.txtar")
		if err := os.WriteFile(file, []byte(c.script), 0o600); err != nil {
			t.Fatal(err)
		}
		var out strings.Builder
		err := Replay(&out, file, c.trace, newCat)
		if (err != nil) != c.fails || !strings.Contains(out.String(), c.want) {
			t.Errorf("%s: Replay = %v, output\n%s\nwant %q", c.reason, err, out.String(), c.want)
		}
		if strings.Contains(out.String(), "/proc/cgroups") {
			t.Errorf("%s: the trace shows /proc/cgroups, which says nothing:\n%s", c.reason, out.String())
		}
	}
}
