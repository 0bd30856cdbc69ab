package main

import "strings"

// equivalent are mistakes that are none: the program does the same, so no test could notice. A row names the file ("" for any), a
// part of the line's text and of the mistake's.
var equivalent = []row{
	{"", "for len(text) > 0", "0 -> 1", "a line that is left has a character and its end"},
	{"core/cputime.go", "if p[pBusy] > elapsed", "> -> >=", "no more was used than has elapsed: nothing is owed, and nothing is left to be idle"},
	{"kernelfs/personality.go", `readAs(perLinux32, "/proc/cpuinfo"`, "cpuinfo", "only compiled for arm64"},
}

type row struct{ file, line, what, why string }

func (r row) names(m mutation) bool {
	return (r.file == "" || m.file == r.file) && strings.Contains(m.lineText(), r.line) && strings.Contains(m.what, r.what)
}

// isEquivalent reports whether m is in the table.
func isEquivalent(m mutation) bool {
	for _, e := range equivalent {
		if e.names(m) {
			return true
		}
	}
	return false
}

// lineText is the line that m changes.
func (m *mutation) lineText() string {
	lines := strings.Split(string(m.src), "\n")
	return lines[m.line-1]
}
