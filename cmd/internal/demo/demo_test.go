package demo

import (
	"strings"
	"testing"
)

// The fake demonstration is what people without root see: it must show the limits, not the host.
func TestFakeShowsTheContainersLimits(t *testing.T) {
	host, container, err := fakeSides()
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ tool, host, container, reason string }{
		{toolFree, "Mem:       16384 ", "Mem:         256 ", "the memory limit"},
		{toolCPUInfo, "8\n", "1\n", "the CPU quota"},
		{toolOnline, "0-7\n", "0\n", "the same CPUs in /sys"},
		{toolConf, "8\n", "1\n", "as many lines in /proc/stat"},
		{toolUptime, "up 27 min", "up 1 min, load average: 0.6", "the container is a minute old, and busy"},
		{toolTop, "MiB Mem :  16384.0 total", "MiB Mem :    256.0 total", "top agrees with free"},
		{toolTop, "%Cpu(s): ", "%Cpu(s): 100.0 us", "it wants its one CPU"},
	} {
		if !strings.Contains(host[tt.tool], tt.host) || !strings.Contains(container[tt.tool], tt.container) {
			t.Errorf("%s (%s):\nhost:\n%s\nwant %q, container:\n%s\nwant %q", tt.tool, tt.reason, host[tt.tool], tt.host, container[tt.tool], tt.container)
		}
	}
}

func TestShowAlignsTheSides(t *testing.T) {
	var b strings.Builder
	if err := show(&b, side{toolConf: "8\n", toolFree: "a wide line\n"}, side{toolConf: "1\n"}); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(b.String()) {
		if at := strings.IndexAny(line, "|+"); at != len("a wide line")+3 && !strings.HasPrefix(line, "$ ") {
			t.Errorf("the sides part at column %d in %q", at, line)
		}
	}
}
