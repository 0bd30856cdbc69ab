package core_test

import (
	"strconv"
	"strings"
	"testing"

	"lxcfs/core"
)

// Periods in which nobody sampled count with the load there is now, and are as many as they were.
func TestUnsampledPeriods(t *testing.T) {
	for _, tt := range []struct {
		reason string
		passed []string // each without a Tick, then read
		want   []string
	}{
		{"3 periods: 2 (1 - e^(-15s/1min))", []string{"20s"}, []string{"0.44 0.10 0.03 2/2 "}},
		{"one, and the present one, which a Tick ends", []string{"10s"}, []string{"0.16 0.03 0.01 2/2 "}},
		{"the present one alone, and where it began is not forgotten", []string{"9s", "1s"}, []string{"0.00 0.00 0.00 2/2 ", "0.16 0.03 0.01 2/2 "}},
	} {
		k, c := boot(t, core.Options{}, "unified cpus=4", "cgroup create /web", "spawn web in /web pidns=new threads=2", "run web user=2")
		who := caller(t, k, "web")
		read := func(want string) {
			t.Helper()
			text, err := c.Read(who, "proc/loadavg", nil)
			if err != nil || !strings.HasPrefix(string(text), want) {
				t.Errorf("%s: loadavg = %q, %v, want %q", tt.reason, text, err, want)
			}
		}
		read("0.00 0.00 0.00 2/2 ")
		for i, d := range tt.passed {
			if err := k.Do("tick", d); err != nil {
				t.Fatal(err)
			}
			read(tt.want[i])
		}
	}
}

// TestCountIsBounded: a container with very many cgroups or threads is shown as many as are counted.
func TestCountIsBounded(t *testing.T) {
	const web = "/sys/fs/cgroup/web/"
	for _, tt := range []struct {
		reason          string
		groups, threads int // threads of each
		want            string
	}{
		{"4,096 cgroups, the container's own among them", 4095, 1, " 4095/4095 "},
		{"one more", 4096, 1, " 4095/4095 "},
		{"32,768 threads", 1, 32768, " 32768/32768 "},
		{"one more, whose state is not asked for", 1, 32769, " 32768/32769 "},
	} {
		k, c := boot(t, core.Options{}, "unified cpus=4", "cgroup create /web", "spawn web in /web pidns=new", "run web user=1")
		who := caller(t, k, "web")
		threads := strings.Repeat(strconv.Itoa(who.PID)+"\n", tt.threads) // the same one over and over
		if err := k.Write(web+"cgroup.threads", ""); err != nil {
			t.Fatal(err)
		}
		for i := range tt.groups {
			if err := k.Write(web+strconv.Itoa(i)+"/cgroup.threads", threads); err != nil {
				t.Fatal(err)
			}
		}
		text, err := c.Read(who, "proc/loadavg", nil)
		if err != nil || !strings.Contains(string(text), tt.want) {
			t.Errorf("%s: loadavg = %q, %v, want %q", tt.reason, text, err, tt.want)
		}
	}
}

// TestFollowed: a container's load is sampled from the first time it asks until a quarter of an hour
// after the last, or its end; nothing is while nobody asks.
func TestFollowed(t *testing.T) {
	k, c := boot(t, core.Options{}, "unified", "cgroup create /web", "spawn web in /web pidns=new", "spawn host in /svc pidns=host", "run web user=1")
	if c.Ticking() {
		t.Fatal("Ticking before anyone asked")
	}
	who := caller(t, k, "web")
	ask := func(who core.Caller) string {
		t.Helper()
		text, err := c.Read(who, "proc/loadavg", nil)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	pass := func(d string, ticks int) {
		t.Helper()
		if err := k.Do("tick", d); err != nil {
			t.Fatal(err)
		}
		for range ticks {
			c.Tick()
		}
	}
	ask(who)
	select {
	case <-c.Asked():
	default:
		t.Error("nothing said that a container asked")
	}
	if !c.Ticking() {
		t.Error("not Ticking after a container asked")
	}
	pass("14m", 1)
	if !c.Ticking() {
		t.Error("not Ticking 14 minutes after a container asked")
	}
	pass("1m", 1)
	if !c.Ticking() {
		t.Error("not Ticking 15 minutes after a container asked")
	}
	pass("1m", 1)
	if c.Ticking() {
		t.Error("Ticking 16 minutes after the last container asked")
	}
	// Periods nobody sampled count with the load there is now.
	if got, _, _ := strings.Cut(ask(who), " "); got != "1.00" {
		t.Errorf("load after 16 minutes of one busy thread = %s, want 1.00", got)
	}
	if got := ask(caller(t, k, "host")); !strings.HasPrefix(got, "0.00 0.00 0.00 0/1 ") {
		t.Errorf("load of a host process's cgroup = %q", got)
	}
	if err := k.Do("kill", "web"); err != nil {
		t.Fatal(err)
	}
	pass("5s", 1)
	if !c.Ticking() {
		t.Error("not Ticking although the host's process asked")
	}
	pass("16m", 1)
	if c.Ticking() {
		t.Error("Ticking after all have ended or stopped asking")
	}
}

// TestAsleep: between two reads the states of threads are asked for when one may have changed, or a minute later.
func TestAsleep(t *testing.T) {
	for _, l := range []struct{ layout, used, more string }{
		{"unified", "/sys/fs/cgroup/web/cpu.stat", "usage_usec 1\n"},
		{"legacy", "/sys/fs/cgroup/cpuacct/web/cpuacct.usage_percpu", "0 0 0 1 \n"},
	} {
		for _, tt := range []struct {
			reason string
			before func(write func(path, text string))
			passes int // of 5 s
			want   string
		}{
			{"nothing ran", func(func(string, string)) {}, 11, "0.00"},
			{"a minute has passed", func(func(string, string)) {}, 12, "0.08"},
			{"somebody ran", func(write func(string, string)) { write(l.used, l.more) }, 1, "0.08"},
			{"nobody can say who ran", func(write func(string, string)) { write(l.used, "usage_usec many\n") }, 1, "0.08"},
			{"nobody ever could", nil, 1, "0.08"},
		} {
			k, c := boot(t, core.Options{}, l.layout+" cpus=4", "cgroup create /web", "spawn web in /web pidns=new")
			write := func(path, text string) {
				t.Helper()
				if err := k.Write(path, text); err != nil {
					t.Fatal(err)
				}
			}
			if tt.before == nil {
				write(l.used, "usage_usec many\n")
				tt.before = func(func(string, string)) {}
			}
			who := caller(t, k, "web")
			if text, err := c.Read(who, "proc/loadavg", nil); err != nil || !strings.HasPrefix(string(text), "0.00 0.00 0.00 0/1 ") {
				t.Fatalf("loadavg = %q, %v", text, err)
			}
			pid := strconv.Itoa(who.PID)
			write("/proc/"+pid+"/task/"+pid+"/status", "State:\tD\n")
			tt.before(write)
			for range tt.passes {
				if err := k.Do("tick", "5s"); err != nil {
					t.Fatal(err)
				}
				c.Tick()
			}
			text, err := c.Read(who, "proc/loadavg", nil)
			if got, _, _ := strings.Cut(string(text), " "); err != nil || got != tt.want {
				t.Errorf("%s, %s: loadavg = %q, %v, want %s", l.layout, tt.reason, text, err, tt.want)
			}
		}
	}
}
