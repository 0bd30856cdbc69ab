package demo

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// side is what one side of the comparison shows: the output of each of its tools.
type side map[string]string

// What is run on both sides. nproc(1) is not among it, as it asks sched_getaffinity(2).
const (
	toolFree    = "free -m"
	toolUptime  = "uptime"
	toolCPUInfo = "grep -c ^processor /proc/cpuinfo"
	toolOnline  = "cat /sys/devices/system/cpu/online"
	toolConf    = "getconf _NPROCESSORS_ONLN"
	toolTop     = "top -bn1 | head -n 5"
)

// tools are the rows of the comparison, in order.
var tools = []string{toolFree, toolUptime, toolCPUInfo, toolOnline, toolConf, toolTop}

// show prints host and container side by side, tool by tool.
func show(w io.Writer, host, container side) error {
	width := len("HOST")
	for _, out := range host {
		for line := range strings.Lines(out) {
			width = max(width, utf8.RuneCountInString(strings.TrimRight(line, " \n")))
		}
	}
	var b strings.Builder
	row := func(left, right string) {
		b.WriteString(strings.TrimRight(fmt.Sprintf("%-*s   |   %s", width, left, right), " ") + "\n")
	}
	row("HOST", fmt.Sprintf("CONTAINER (%d MiB, %d CPU)", memoryLimit>>20, cpuLimit))
	for _, tool := range tools {
		b.WriteString(strings.Repeat("-", width+3) + "+" + strings.Repeat("-", width+3) + "\n")
		row("$ "+tool, "$ "+tool)
		left, right := lines(host[tool]), lines(container[tool])
		for i := range max(len(left), len(right)) {
			row(at(left, i), at(right, i))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func lines(s string) []string { return strings.Split(strings.TrimRight(s, "\n"), "\n") }

func at(lines []string, i int) string {
	if i >= len(lines) {
		return ""
	}
	return strings.TrimRight(lines[i], " ")
}
