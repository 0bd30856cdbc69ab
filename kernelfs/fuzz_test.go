package kernelfs

import (
	"bytes"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"
)

func FuzzParseUint(f *testing.F) {
	for _, seed := range []string{"0", "42\n", "18446744073709551615", "18446744073709551616", "-1", "", "007"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		n, rest, ok := ParseUint(b)
		digits := b[:len(b)-len(rest)]
		want, err := strconv.ParseUint(string(digits), 10, 64)
		if ok && (err != nil || n != want) {
			t.Errorf("ParseUint(%q) = %d, strconv says %d, %v", b, n, want, err)
		}
		if ok && len(rest) > 0 && rest[0] >= '0' && rest[0] <= '9' {
			t.Errorf("ParseUint(%q) leaves the digit %q", b, rest[0])
		}
		if !ok && (n != 0 || len(rest) != len(b)) {
			t.Errorf("ParseUint(%q) fails with %d, %q, want 0 and all of it", b, n, rest)
		}
		if v, err := oneNumber("/f", b); err == nil && v != NoLimit && v != Bytes(n) {
			t.Errorf("oneNumber(%q) = %d, want %d", b, v, n)
		}
	})
}

func FuzzCPUList(f *testing.F) {
	for _, seed := range []string{"0-3,7\n", "", "0", "62-65", "65535", "3-1", "0-4294967295", "1,,2", "0-1,0-1"} {
		f.Add([]byte(seed), 3, 1)
	}
	f.Fuzz(func(t *testing.T, b []byte, keep, out int) {
		l, err := ParseCPUList("/f", b, nil)
		if err != nil {
			return
		}
		text := l.AppendList(nil)
		again, err := ParseCPUList("/f", text, CPUList{7, 7})
		if err != nil || !again.Equal(l) {
			t.Fatalf("ParseCPUList(%q) prints as %q, which reads as %v, %v", b, text, again, err)
		}
		n := 0
		for cpu := range l.All() {
			if !l.Has(cpu) || cpu > l.Max() {
				t.Errorf("%q: All yields %d, Has says %v, Max %d", b, cpu, l.Has(cpu), l.Max())
			}
			n++
		}
		if n != l.Count() {
			t.Errorf("%q: All yields %d CPUs, Count says %d", b, n, l.Count())
		}
		if keep < 0 || keep > maxCPUs {
			return
		}
		l.Cut(keep)
		if got, want := l.Count(), min(n, keep); got != want {
			t.Errorf("%q: Cut(%d) leaves %d, want %d", b, keep, got, want)
		}
		for cpu := range l.All() {
			if !again.Has(cpu) {
				t.Errorf("%q: Cut(%d) adds %d", b, keep, cpu)
			}
		}
		again.Remove(out)
		if again.Has(out) {
			t.Errorf("%q: has %d after Remove", b, out)
		}
	})
}

func FuzzCutMask(f *testing.F) {
	for _, seed := range []string{"f", "00000003,ffffffff", "", "fF", "g", "f\n"} {
		f.Add([]byte(seed), "0-2,33")
	}
	f.Fuzz(func(t *testing.T, mask []byte, set string) {
		l, err := ParseCPUList("/f", []byte(set), nil)
		if err != nil {
			return
		}
		cut := bytes.Clone(mask)
		if !l.CutMask(cut) {
			return
		}
		if len(cut) != len(mask) {
			t.Fatalf("CutMask(%q) is %q: its width changed", mask, cut)
		}
		bit := 0
		for i := len(mask) - 1; i >= 0; i-- {
			if mask[i] == ',' {
				continue
			}
			was, err1 := strconv.ParseUint(string(mask[i]), 16, 8)
			is, err2 := strconv.ParseUint(string(cut[i]), 16, 8)
			if err1 != nil || err2 != nil {
				t.Fatalf("CutMask(%q) accepts it and gives %q", mask, cut)
			}
			for b := range 4 {
				want := was>>b&1 == 1 && l.Has(bit+b)
				if got := is>>b&1 == 1; got != want {
					t.Fatalf("CPUList(%s).CutMask(%q) = %q: bit %d is %v", set, mask, cut, bit+b, got)
				}
			}
			bit += 4
		}
	})
}

func FuzzMount(f *testing.F) {
	f.Add("35 25 0:32 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw", "0::/../x/init.scope\n")
	f.Add(`36 31 0:34 /a\040b /mnt rw shared:1 - cgroup memory rw,memory`, "5:memory:/a b/c (deleted)\n")
	f.Add("33 31 0:31 /.. /m rw - cgroup c rw,cpu,cpuacct", "3:cpu,cpuacct:/../x\n")
	f.Fuzz(func(t *testing.T, line, text string) {
		h, err := parseMount(line)
		if err != nil || h == nil {
			return
		}
		if h.Version == 1 && len(h.Controllers) == 0 || h.Version != 1 && h.Version != 2 {
			t.Fatalf("parseMount(%q) = %+v", line, show(h))
		}
		path, ok := h.Find([]byte(text))
		if ok && (!strings.HasPrefix(path, "/") || path == "/.." || strings.HasPrefix(path, "/../")) {
			t.Errorf("%+v finds %q in %q: outside of what is mounted", show(h), path, text)
		}
	})
}

func FuzzMemoryStat(f *testing.F) {
	for _, seed := range []string{"anon 1\nfile 2\n", "total_rss 5\nhierarchical_memory_limit 9223372036854771712\n", "anon", "anon \n", "\nanon 1\n", "anon 18446744073709551616\n"} {
		f.Add([]byte(seed), 2)
		f.Add([]byte(seed), 1)
	}
	f.Fuzz(func(t *testing.T, text []byte, version int) {
		if version != 1 && version != 2 {
			return
		}
		var m MemoryStat
		if m.parse("/f", text, version) != nil {
			return
		}
		last := map[string]string{}
		for line := range strings.Lines(string(text)) {
			key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
			last[key] = value
		}
		for k := range NMemKeys {
			name := k.Name(version)
			value, there := last[name]
			if there = there && name != ""; there != m.Known(k) {
				t.Errorf("%q: Known(%s) = %v, want %v", text, name, m.Known(k), there)
			}
			if want, _ := strconv.ParseUint(value, 10, 64); there && m.Bytes[k] != Bytes(want) {
				t.Errorf("%q: %s = %d, want %d", text, name, m.Bytes[k], want)
			}
		}
	})
}

func FuzzCPUTime(f *testing.F) {
	f.Add("usage_usec 3\nuser_usec 1\nsystem_usec 2\nnice_usec 1\n")
	f.Add("cpu user system\n0 1 2\n3 4 5\n")
	f.Add("cpu user system\n0 4611686018427387904 1\n1 4611686018427387904 1\n2 4611686018427387904 1\n")
	f.Add("1 2 3\n")
	f.Add("user 1\nsystem 2\n")
	f.Fuzz(func(t *testing.T, text string) {
		check := func(name string, c CPUTime) {
			if c.User < 0 || c.Nice < 0 || c.System < 0 {
				t.Errorf("%s: %q gives %v, %v, %v", name, text, c.User, c.Nice, c.System)
			}
			for cpu, u := range c.PerCPU {
				if u.User < 0 || u.System < 0 {
					t.Errorf("%s: %q gives CPU %d %v, %v", name, text, cpu, u.User, u.System)
				}
			}
		}
		s := snapshot(t, unified)
		s.FS().raw.(*tree).write(t, "/sys/fs/cgroup/x/cpu.stat", text)
		var c CPUTime
		if groupOf(t, s, CPUAcct, "/x").CPUTime(s, &c) == nil {
			check("cpu.stat", c)
		}
		for _, name := range []string{"usage_all", "usage_percpu"} {
			s := snapshot(t, legacy+"-- sys/fs/cgroup/cpu,cpuacct/x/cpuacct.stat --\nuser 7\nsystem 11\n")
			s.FS().raw.(*tree).write(t, "/sys/fs/cgroup/cpu,cpuacct/x/cpuacct."+name, text)
			if groupOf(t, s, CPUAcct, "/x").CPUTime(s, &c) == nil {
				check(name, c)
			}
		}
		s = snapshot(t, legacy+"-- sys/fs/cgroup/cpu,cpuacct/x/cpuacct.usage_percpu --\n4611686018427387904 4611686018427387904 5\n")
		s.FS().raw.(*tree).write(t, "/sys/fs/cgroup/cpu,cpuacct/x/cpuacct.stat", text)
		if groupOf(t, s, CPUAcct, "/x").CPUTime(s, &c) == nil {
			check("stat", c)
		}
	})
}

func FuzzQuota(f *testing.F) {
	for _, seed := range []string{"50000 100000\n", "max 100000\n", "18446744073709551615 1\n", "1 0\n", "-1\n", "4503599627370496 1\n"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		check := func(q Quota) {
			if q.Quota < 0 || q.Period < 0 || (q.Period == 0) != (q.Quota == 0) {
				t.Errorf("%q gives %v of %v", text, q.Quota, q.Period)
			}
			if n := q.CPUs(); n < 0 || n > maxCPUs || q.Period > 0 && n == 0 {
				t.Errorf("%q: %v of %v is %d CPUs", text, q.Quota, q.Period, n)
			}
		}
		s := snapshot(t, unified)
		s.FS().raw.(*tree).write(t, "/sys/fs/cgroup/x/cpu.max", text)
		if q, err := groupOf(t, s, CPU, "/x").Quota(s); err == nil {
			check(q)
		}
		s = snapshot(t, legacy+"-- sys/fs/cgroup/cpu,cpuacct/x/cpu.cfs_period_us --\n100000\n")
		s.FS().raw.(*tree).write(t, "/sys/fs/cgroup/cpu,cpuacct/x/cpu.cfs_quota_us", text)
		if q, err := groupOf(t, s, CPU, "/x").Quota(s); err == nil {
			check(q)
		}
	})
}

func FuzzIO(f *testing.F) {
	f.Add([]byte("8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6\n"))
	f.Add([]byte("7:0 8:0 rbytes=1\n\n"))
	f.Add([]byte("8:0 Read 1\n8:0 Write 2\n8:0 Total 3\nTotal 3\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		unique := func(list []DeviceIO) {
			seen := map[Device]bool{}
			for _, d := range list {
				if seen[d.Device] {
					t.Errorf("%q gives device %v twice", text, d.Device)
				}
				seen[d.Device] = true
				if !bytes.Contains(text, []byte(":")) {
					t.Errorf("%q gives device %v", text, d.Device)
				}
			}
		}
		list, err := parseIOStat("/f", text, nil)
		if err == nil {
			unique(list)
		}
		s := snapshot(t, legacy)
		for _, n := range []string{"io_service_bytes", "io_serviced", "io_merged", "io_wait_time", "io_service_time"} {
			s.FS().raw.(*tree).write(t, "/sys/fs/cgroup/blkio/x/blkio."+n+"_recursive", string(text))
		}
		if list, _, err = groupOf(t, s, IO, "/x").IO(s, nil); err == nil {
			unique(list)
		}
	})
}

func FuzzProcess(f *testing.F) {
	f.Add(statLine(42, "a b) (c", 'S', 18200), "PPid:\t99\nNSpid:\t42\t1\n", "pid:[4026531836]")
	f.Add("", "", "")
	f.Add("42 (x) S 1", "NSpid:", "pid:[")
	f.Fuzz(func(t *testing.T, stat, status, link string) {
		tr := plant(t, "")
		tr.write(t, "/proc/42/stat", stat)
		tr.write(t, "/proc/42/task/42/status", status)
		tr.write(t, "/proc/42/status", status)
		tr.links["/proc/42/ns/pid"] = link
		s := New(tr).Snapshot()
		ns, err := s.Namespace(42)
		if err == nil && (ns == 0 || !strings.HasSuffix(link, "]")) {
			t.Errorf("Namespace of %q = %d", link, ns)
		}
		if state, err := s.State(42); err == nil && (state == ' ' || !strings.Contains(status, "State:")) {
			t.Errorf("State of %q = %q", status, state)
		}
		s.startTime(42)
		if p, err := s.Init(42, ns); err == nil && p.PID != 42 {
			t.Errorf("Init = %d, and there is nobody but 42", p.PID)
		}
	})
}

func FuzzUptime(f *testing.F) {
	f.Add("350735.47 234388.90\n")
	f.Add("4294967296.99")
	f.Add("1.5 2\n")
	f.Fuzz(func(t *testing.T, text string) {
		tr := plant(t, "")
		tr.write(t, "/proc/uptime", text)
		now, err := New(tr).Snapshot().Now()
		if err != nil {
			return
		}
		word, _, _ := strings.Cut(text, " ")
		if len(word) > len("4294967296.99") {
			word = word[:strings.IndexByte(word, '.')+3]
		}
		if want, err := strconv.ParseFloat(strings.TrimSpace(word), 64); err == nil && math.Abs(now.Seconds()-want) > 0.011 {
			t.Errorf("Now of %q = %v, want %v s", text, now, want)
		}
		if now < 0 || now%(10*time.Millisecond) != 0 {
			t.Errorf("Now of %q = %v", text, now)
		}
	})
}
