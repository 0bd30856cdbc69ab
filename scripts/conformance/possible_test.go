//go:build integration

package conformance

import (
	"fmt"
	"slices"
	"strings"

	"lxcfs/scripts/testbed"
)

// fakeOnly are the verbs for states that no verb of a real kernel produces, or not at will.
var fakeOnly = map[string]string{
	"write":  "a file cannot be made to say something else",
	"fail":   "a file cannot be made to fail",
	"remove": "a file cannot be taken away",
	"reuse":  "a pid comes back after all others only",
	"stall":  "tasks cannot be made to wait for so long exactly",
}

// impossible says why a real kernel cannot do a step, or why this machine cannot (absent).
func impossible(s step, m *machine) (why string, absent bool) {
	if why := fakeOnly[s.verb]; why != "" {
		return why, false
	}
	bare := func(a string) string { name, _, _ := strings.Cut(a, "="); return name }
	switch s.verb {
	case "boot":
		if s.args[0] != m.layout {
			if slices.Contains([]string{"legacy", "hybrid", "unified"}, s.args[0]) {
				return "this machine is " + m.layout, true
			}
			return "a captured host", false
		}
		for _, a := range s.args[1:] {
			name, value, _ := strings.Cut(a, "=")
			if lack := m.lacks(name, value); lack != "" {
				n, err := size(value)
				return "this machine: " + lack, !(err == nil && (name == "cpus" && n > 256 || name == "memory" && n > 256<<30))
			}
		}
	case "daemon":
		if slices.Contains(s.args, "--off") {
			return "the hosts' own files are not compared", false
		}
	case "hotplug":
		if !testbed.Guest() {
			return "in guests only", true
		}
	case "charge":
		return impossibleCharge(s, m)
	case "swap":
		if bare(s.args[1]) != "out" {
			return "pages come back when they are touched only", false
		}
		if m.layout != "unified" || m.before(5, 19) || m.swap == 0 {
			return "wants memory.reclaim (v2, 5.19) and swap", true
		}
	case "run":
		if slices.Contains(s.args, "state=R") || slices.Contains(s.args, "state=S") {
			return "the state follows from what it does", false
		}
	case "io":
		if strings.Contains(s.args[0], "/") || s.args[1] != m.disk {
			return "wants a process, and a disk with a file system", !strings.Contains(s.args[0], "/")
		}
		if slices.ContainsFunc(s.args, func(a string) bool { return strings.HasPrefix(a, "discard") }) {
			return "wants a disk that discards", false
		}
	case "limit":
		if s.args[0] == "hugetlb" {
			return "wants huge pages", true
		}
	case "read", "list":
		if strings.HasPrefix(s.args[0], "/") && s.verb == "read" {
			return "is not a served file", false
		}
	}
	return "", false
}

func impossibleCharge(s step, m *machine) (string, bool) {
	for _, a := range s.args[1:] {
		name, _, _ := strings.Cut(a, "=")
		if name == "oom" {
			continue
		}
		if kinds[name] == 0 {
			return name + " is not charged at will", false
		}
		if strings.HasPrefix(name, "file") && m.dir == "" {
			return "no file system on a disk", true
		}
	}
	return "", false
}

// before reports whether the machine's release is older.
func (m *machine) before(major, minor int) bool {
	var a, b int
	fmt.Sscanf(m.release, "%d.%d", &a, &b)
	return a < major || a == major && b < minor
}
