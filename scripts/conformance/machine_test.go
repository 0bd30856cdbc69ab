//go:build integration

package conformance

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"lxcfs/scripts/testbed"
)

// machine is the real one: what a fake has to be booted as to be comparable.
type machine struct {
	layout       string // as the verb boot names it
	release      string // 6.12
	cpus         int
	memory, swap int64 // bytes
	disks        []string
	zswap, psi   bool
	trees        []tree

	disk string // whose file system dir is on; "" if there is none
	dir  string // for files whose pages are charged and which are read and written
}

// tree is a mounted cgroup hierarchy.
type tree struct {
	mount       string
	v2          bool
	controllers []string // v1's; "name=systemd" as it is
}

func (t *tree) has(controller string) bool { return slices.Contains(t.controllers, controller) }

func lookAround() (*machine, error) {
	m := &machine{layout: map[testbed.Layout]string{testbed.Legacy: "legacy", testbed.Hybrid: "hybrid", testbed.Unified: "unified"}[testbed.HostLayout()]}
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return nil, err
	}
	numbers := strings.FieldsFunc(unix.ByteSliceToString(u.Release[:]), func(r rune) bool { return r < '0' || r > '9' })
	m.release = numbers[0] + "." + numbers[1]
	m.memory, m.swap = meminfo("MemTotal"), meminfo("SwapTotal")
	online, err := os.ReadFile("/sys/devices/system/cpu/online")
	if err != nil {
		return nil, err
	}
	m.cpus = 1
	if _, last, ok := strings.Cut(strings.TrimSpace(string(online)), "-"); ok {
		n, err := strconv.Atoi(last)
		if err != nil {
			return nil, fmt.Errorf("online CPUs %s: want 0-N", online)
		}
		m.cpus = n + 1
	}
	m.psi = exists("/proc/pressure/cpu")
	m.zswap = exists("/sys/module/zswap")
	if m.trees, err = mounted(); err != nil {
		return nil, err
	}
	names, err := os.ReadDir("/sys/block")
	if err != nil {
		return nil, err
	}
	for _, n := range names {
		if !strings.HasPrefix(n.Name(), "zram") {
			m.disks = append(m.disks, n.Name())
		}
	}
	return m, m.findDisk()
}

// mounted reads the hierarchies out of /proc/self/mountinfo.
func mounted() ([]tree, error) {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var trees []tree
	for lines := bufio.NewScanner(f); lines.Scan(); {
		before, after, _ := strings.Cut(lines.Text(), " - ")
		left, right := strings.Fields(before), strings.Fields(after)
		if len(left) < 5 || len(right) < 3 || !strings.HasPrefix(left[4], "/sys/fs/cgroup") {
			continue
		}
		t := tree{mount: left[4], v2: right[0] == "cgroup2"}
		if right[0] == "cgroup" {
			for _, word := range strings.Split(right[2], ",") {
				if word != "rw" && word != "xattr" && word != "clone_children" && word != "none" {
					t.controllers = append(t.controllers, word)
				}
			}
		} else if !t.v2 {
			continue
		}
		if t.v2 {
			text, err := os.ReadFile(filepath.Join(t.mount, "cgroup.controllers"))
			if err != nil {
				return nil, err
			}
			t.controllers = strings.Fields(string(text))
		}
		if !slices.ContainsFunc(trees, func(o tree) bool { return o.mount == t.mount }) {
			trees = append(trees, t)
		}
	}
	if len(trees) == 0 {
		return nil, fmt.Errorf("no cgroups below /sys/fs/cgroup")
	}
	return trees, nil
}

// findDisk finds a file system on a disk: that of the temporary directory, or the scratch disk of a guest.
func (m *machine) findDisk() error {
	const guests = "/run/lxcfs-conf"
	if exists("/dev/scratch") && !exists(guests) {
		if err := os.Mkdir(guests, 0o755); err != nil {
			return err
		}
		if out, err := exec.Command("busybox", "mke2fs", "/dev/scratch").CombinedOutput(); err != nil {
			return fmt.Errorf("mke2fs /dev/scratch: %w: %s", err, out)
		}
		if err := unix.Mount("/dev/scratch", guests, "ext4", 0, ""); err != nil {
			return fmt.Errorf("mount /dev/scratch: %w", err)
		}
	}
	for _, dir := range []string{guests, "/var/tmp"} {
		var st unix.Stat_t
		if unix.Stat(dir, &st) != nil {
			continue
		}
		link, err := filepath.EvalSymlinks(fmt.Sprintf("/sys/dev/block/%d:%d", unix.Major(st.Dev), unix.Minor(st.Dev)))
		if err != nil {
			continue // on no disk
		}
		if exists(filepath.Join(link, "partition")) {
			link = filepath.Dir(link)
		}
		m.disk = filepath.Base(link)
		m.dir, err = os.MkdirTemp(dir, top[1:]+"-")
		return err
	}
	return nil
}

// number is the major:minor of a disk.
func diskNumber(name string) (string, error) {
	text, err := os.ReadFile("/sys/block/" + name + "/dev")
	return strings.TrimSpace(string(text)), err
}

// boot is the words of the verb boot that make a fake of this machine, as it was so long after its own boot.
func (m *machine) boot(at time.Duration) []string {
	onOff := map[bool]string{true: "on", false: "off"}
	return []string{
		m.layout, "kernel=" + m.release, fmt.Sprintf("cpus=%d", m.cpus), fmt.Sprintf("memory=%d", m.memory), fmt.Sprintf("swap=%d", m.swap),
		"disks=" + strings.Join(m.disks, ","), "zswap=" + onOff[m.zswap], "psi=" + onOff[m.psi], "uptime=" + at.String(),
	}
}

// lacks says what of a scenario's wishes this machine cannot fulfil, "" if it can: at least so many CPUs, so much memory
// and swap, that very release and those disks. More does no harm, since the fake is booted as this machine.
func (m *machine) lacks(name, value string) string {
	n, err := size(value)
	switch name {
	case "cpus":
		if err == nil && n <= int64(m.cpus) {
			return ""
		}
		return fmt.Sprintf("%d CPUs", m.cpus)
	case "memory":
		if err == nil && n <= m.memory {
			return ""
		}
		return fmt.Sprintf("%d MiB", m.memory>>20)
	case "swap":
		if err == nil && n <= m.swap+page {
			return ""
		}
		return fmt.Sprintf("%d MiB of swap", m.swap>>20)
	case "uptime":
		return ""
	case "disks":
		for d := range strings.SplitSeq(value, ",") {
			if !slices.Contains(m.disks, d) {
				return "no " + d
			}
		}
		return ""
	case "kernel":
		if value == m.release {
			return ""
		}
		return m.release
	}
	return "as it is"
}

func uptime() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &t); err != nil {
		panic(err) // a clock since 2.6.39
	}
	return time.Duration(t.Nano()).Truncate(time.Microsecond)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func meminfo(label string) int64 {
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); f[0] == label+":" {
			n, _ := strconv.ParseInt(f[1], 10, 64)
			return n << 10
		}
	}
	return 0
}

// size reads 512M, 1.5G, 4096, -64K.
func size(s string) (int64, error) {
	digits, unit := s, 1.0
	if i := strings.IndexAny(s, "KMGT"); i > 0 && i == len(s)-1 {
		digits = s[:i]
		for range strings.IndexByte("KMGT", s[i]) + 1 {
			unit *= 1024
		}
	}
	f, err := strconv.ParseFloat(digits, 64)
	return int64(f * unit), err
}
