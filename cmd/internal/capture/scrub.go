package capture

import (
	"fmt"
	"regexp"
	"strings"

	"lxcfs/cmd/internal/archive"
)

// scrubber replaces what names somebody's machine, containers or programs by names that only say of
// what kind they are. The same name is replaced by the same everywhere, in paths and in texts, so that
// what is rendered does not change.
type scrubber struct {
	ids   map[string]string // container ids and pod UIDs: a number of the same shape
	names map[string]string // of LXC containers and of the host
	words *regexp.Regexp    // names, as whole words; nil without any
}

var (
	// id is a container id as Docker, Podman, containerd and CRI-O name cgroups by it, a machine id, or a
	// pod's UID, in which systemd's names have _ for -.
	id = regexp.MustCompile(`[0-9a-f]{32,}|[0-9a-f]{8}([-_][0-9a-f]{4}){3}[-_][0-9a-f]{12}`)
	// named is a cgroup that LXC, Incus or systemd-machined names after the container.
	named = regexp.MustCompile(`(?m)/(?:lxc/|lxc\.(?:payload|monitor)[./]|machine-)([^/.\s][^/\s]*?)(?:\.scope)?(?:/|$)`)
	// serial is where /proc/cpuinfo has a serial number: on ARM boards and on s390x.
	serial = regexp.MustCompile(`(?m)(^Serial\s*: |identification\s*[=:] )([0-9A-Fa-f]+)`)
)

func newScrubber(host string, entries []archive.Entry) *scrubber {
	s := &scrubber{ids: map[string]string{}, names: map[string]string{}}
	if host != "" && host != "localhost" && host != "(none)" {
		s.names[host] = "host"
	}
	for _, e := range entries {
		if cgroupText(e.Path) {
			for _, m := range named.FindAllStringSubmatch(string(e.Text), -1) {
				if s.names[m[1]] == "" && !id.MatchString(m[1]) {
					s.names[m[1]] = fmt.Sprintf("c%d", len(s.names)+1)
				}
			}
		}
	}
	var quoted []string
	for name := range s.names {
		quoted = append(quoted, regexp.QuoteMeta(name))
	}
	if quoted != nil {
		s.words = regexp.MustCompile(`(^|[/.:\s-])(` + strings.Join(quoted, "|") + `)($|[/.:\s])`)
	}
	return s
}

// cgroupText reports whether a file's text holds cgroup paths.
func cgroupText(p string) bool {
	return strings.HasPrefix(p, "proc/") && (strings.HasSuffix(p, "/cgroup") || strings.HasSuffix(p, "/mountinfo"))
}

func (s *scrubber) entry(e archive.Entry) archive.Entry {
	if strings.HasPrefix(e.Path, "sys/fs/cgroup/") {
		e.Path = s.cgroup(e.Path)
	}
	e.Text = []byte(s.text(e.Path, string(e.Text)))
	return e
}

func (s *scrubber) text(p, text string) string {
	dir, base, _ := cutLast(p)
	switch {
	case cgroupText(p):
		text = s.cgroup(text)
	case p == "proc/swaps":
		text = s.word(text)
	case p == "proc/cpuinfo":
		text = serial.ReplaceAllStringFunc(text, zeros)
	case base == "crash_notes":
		text = "0\n" // a physical address
	case strings.HasPrefix(dir, "proc/") && base == "stat":
		text = comm(text)
	case strings.HasPrefix(dir, "proc/") && base == "status":
		text = command.ReplaceAllString(text, "Name:\ttask")
	}
	return text
}

func cutLast(p string) (dir, base string, ok bool) {
	i := strings.LastIndexByte(p, '/')
	if i < 0 {
		return "", p, false
	}
	return p[:i], p[i+1:], true
}

// cgroup scrubs a text of cgroup paths.
func (s *scrubber) cgroup(text string) string {
	return s.word(id.ReplaceAllStringFunc(text, s.number))
}

// number returns an id's pseudonym: the ids are counted, and keep their length and dashes.
func (s *scrubber) number(id string) string {
	if n, ok := s.ids[id]; ok {
		return n
	}
	digits := []byte(fmt.Sprintf("%0*x", len(id), len(s.ids)+1))
	for i := range digits {
		if id[i] == '-' || id[i] == '_' {
			digits[i] = id[i]
		}
	}
	s.ids[id] = string(digits)
	return s.ids[id]
}

func (s *scrubber) word(text string) string {
	if s.words == nil {
		return text
	}
	// Twice: neighbours share the character between them.
	for range 2 {
		text = s.words.ReplaceAllStringFunc(text, func(m string) string {
			part := s.words.FindStringSubmatch(m)
			return part[1] + s.names[part[2]] + part[3]
		})
	}
	return text
}

// comm replaces the command's name in a /proc/PID/stat, which ends at the last parenthesis.
func comm(stat string) string {
	from, to := strings.IndexByte(stat, '('), strings.LastIndexByte(stat, ')')
	if from < 0 || to < from {
		return stat
	}
	return stat[:from] + "(task" + stat[to:]
}

var command = regexp.MustCompile(`(?m)^Name:\t.*$`)

func zeros(s string) string {
	m := serial.FindStringSubmatch(s)
	return m[1] + strings.Repeat("0", len(m[2]))
}
