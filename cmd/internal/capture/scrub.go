package capture

import (
	"fmt"
	"path"
	"regexp"
	"strings"

	"lxcfs/cmd/internal/archive"
)

// scrubber replaces what names somebody's machine, containers, users or programs by names that only say
// of what kind they are. The same name is replaced by the same everywhere, in paths and in texts, so
// that what is rendered does not change.
type scrubber map[string]string // names and ids as they were: pseudonyms

// structural are the words of cgroup paths that say how a host is built, not whose it is: all others are
// replaced. They are separated as in separators: kubepods-burstable.slice, perf_event, cri-containerd-ID.scope.
var structural = func() map[string]bool {
	words := map[string]bool{}
	for _, list := range []string{
		"sys fs cgroup cgroup2 unified name deleted", // what the kernel and mount points say
		"cpu cpuacct cpuset memory io blkio pids hugetlb devices freezer net cls prio perf event rdma misc dmem debug",
		"systemd init system user session app background machine nspawn slice scope service mount socket swap",
		"lxc lxd incus payload monitor pivot ns qemu libvirt",
		"docker buildkit containerd cri crio conmon runc podman libpod pod kubepods kubelet burstable besteffort guaranteed",
	} {
		for _, w := range strings.Fields(list) {
			words[w] = true
		}
	}
	return words
}()

const separators = "-._:@,=()/ "

var (
	// id is a container id as Docker, Podman, containerd and CRI-O name cgroups by it, in full or cut off, a
	// machine id, or a pod's UID, in which systemd's names have _ for -.
	id = regexp.MustCompile(`(pod)?([0-9a-f]{8}(?:[-_][0-9a-f]{4}){3}[-_][0-9a-f]{12}|[0-9a-f]{12,})`)
	// serial is where /proc/cpuinfo has a serial number: on ARM boards and on s390x.
	serial = regexp.MustCompile(`(?m)(^Serial\s*: |identification\s*[=:] )([0-9A-Fa-f]+)`)
	// array is a software RAID with a name, where others have a number.
	array = regexp.MustCompile(`\bmd_\S+`)
	// device is the first column of /proc/swaps: a volume's name, or a file's.
	device = regexp.MustCompile(`(?m)^/\S+`)
	// kernelFile is a file of a cgroup.
	kernelFile = regexp.MustCompile(`^(tasks|(cgroup|cpu|cpuacct|cpuset|memory|io|blkio|hugetlb)\.[a-zA-Z0-9_.]+)$`)
)

func (s scrubber) entry(e archive.Entry) archive.Entry {
	dir, base := path.Split(e.Path)
	if !strings.HasPrefix(dir, "proc/") && !strings.HasPrefix(dir, "sys/devices/") {
		dir = s.cgroup(dir)
		if !kernelFile.MatchString(base) {
			base = s.cgroup(base)
		}
		e.Link = s.cgroup(e.Link)
	}
	e.Text = []byte(s.text(e.Path, string(e.Text)))
	e.Path = dir + base
	return e
}

// answers scrubs the texts of served files.
func (s scrubber) answers(list []archive.Entry) {
	for i, e := range list {
		list[i].Text = []byte(s.text(e.Path, string(e.Text)))
	}
}

func (s scrubber) text(p, text string) string {
	switch base := path.Base(p); {
	case p == "proc/swaps":
		return device.ReplaceAllStringFunc(text, s.device)
	case p == "proc/diskstats":
		return array.ReplaceAllStringFunc(text, func(m string) string { return "md_" + s.word(m[len("md_"):]) })
	case p == "proc/cpuinfo":
		return serial.ReplaceAllStringFunc(text, zeros)
	case base == "crash_notes":
		return "0\n" // a physical address
	case p == "proc/stat" || !strings.HasPrefix(p, "proc/"):
		return text
	case base == "mountinfo":
		return eachLine(text, s.mount)
	case base == "cgroup":
		return eachLine(text, func(line string) string {
			number, rest, _ := strings.Cut(line, ":")
			return number + ":" + s.cgroup(rest)
		})
	case base == "stat":
		return eachLine(text, stat)
	case base == "status":
		return eachLine(text, status)
	}
	return text
}

// eachLine returns the lines of text as f makes them, without those of which it makes nothing.
func eachLine(text string, f func(string) string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if line = f(strings.TrimSuffix(line, "\n")); line != "" {
			b.WriteString(line + "\n")
		}
	}
	return b.String()
}

// cgroup scrubs a cgroup's path, or part of one: of what is no id, every word that is not structural.
func (s scrubber) cgroup(p string) string {
	var b strings.Builder
	at := 0
	for _, m := range id.FindAllStringSubmatchIndex(p, -1) {
		b.WriteString(s.words(p[at:m[4]]) + s.number(p[m[4]:m[5]]))
		at = m[1]
	}
	return b.String() + s.words(p[at:])
}

func (s scrubber) words(text string) string {
	var b strings.Builder
	for text != "" {
		if i := strings.IndexAny(text, separators); i != 0 {
			if i < 0 {
				i = len(text)
			}
			b.WriteString(s.word(text[:i]))
			text = text[i:]
			continue
		}
		b.WriteByte(text[0])
		text = text[1:]
	}
	return b.String()
}

func (s scrubber) word(w string) string {
	if structural[w] {
		return w
	}
	if s[w] == "" {
		s[w] = fmt.Sprintf("c%d", len(s)+1)
	}
	return s[w]
}

// number returns an id's pseudonym: they are counted, and keep their length and dashes.
func (s scrubber) number(id string) string {
	if s[id] == "" {
		digits := []byte(fmt.Sprintf("%0*x", len(id), len(s)+1))
		for i := range digits {
			if id[i] == '-' || id[i] == '_' {
				digits[i] = id[i]
			}
		}
		s[id] = string(digits)
	}
	return s[id]
}

// device keeps the column's width if it can.
func (s scrubber) device(name string) string {
	return fmt.Sprintf("%-*s", len(name), "/dev/"+s.word(name))
}

// escapes are the kernel's, of blanks, tabs and backslashes in the paths of mountinfo.
var escapes = strings.NewReplacer(`\040`, " ", `\011`, "\t", `\134`, `\`)

// mount scrubs a line of mountinfo (proc_pid_mountinfo(5)) that shows a cgroup hierarchy. The others are
// read past, and left out. What is mounted, and options such as v1's release_agent, can be any text.
func (s scrubber) mount(line string) string {
	left, right, _ := strings.Cut(line, " - ")
	f, g := strings.Fields(left), strings.Fields(right)
	if len(f) < 6 || len(g) < 2 || g[0] != "cgroup" && g[0] != "cgroup2" {
		return ""
	}
	for _, i := range []int{3, 4} {
		f[i] = strings.ReplaceAll(s.cgroup(escapes.Replace(f[i])), " ", `\040`)
	}
	var options []string
	for opt := range strings.SplitSeq(g[len(g)-1], ",") {
		if name, is := strings.CutPrefix(opt, "name="); is {
			options = append(options, "name="+s.cgroup(name))
		} else if structural[opt] || opt == "rw" || opt == "ro" {
			options = append(options, opt)
		}
	}
	return strings.Join(f, " ") + " - " + g[0] + " " + g[0] + " " + strings.Join(options, ",")
}

// stat keeps of a /proc/PID/stat (proc_pid_stat(5)) the state, field 3, and what is read: the start, field
// 22. The command's name, which ends at the last parenthesis, is somebody's; so are addresses.
func stat(line string) string {
	pid, _, ok := strings.Cut(line, " (")
	end := strings.LastIndexByte(line, ')')
	if !ok || end < 0 {
		return line
	}
	f := strings.Fields(line[end+1:])
	const state, start = 0, 22 - 3
	for i := range f {
		if i != state && i != start {
			f[i] = "0"
		}
	}
	return pid + " (task) " + strings.Join(f, " ")
}

// status keeps of a /proc/PID/status (proc_pid_status(5)) what is read: whose child it is, its state, and its numbers.
func status(line string) string {
	switch label, _, _ := strings.Cut(line, ":"); label {
	case "Name":
		return "Name:\ttask"
	case "PPid", "State", "NSpid":
		return line
	}
	return ""
}

func zeros(s string) string {
	m := serial.FindStringSubmatch(s)
	return m[1] + strings.Repeat("0", len(m[2]))
}
