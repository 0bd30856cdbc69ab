package kernelfs

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestQuota(t *testing.T) {
	const us = time.Microsecond
	const v1 = legacy + `
-- sys/fs/cgroup/cpu,cpuacct/x/cpu.cfs_quota_us --
%A%
-- sys/fs/cgroup/cpu,cpuacct/x/cpu.cfs_period_us --
%B%
`
	const v2 = unified + "-- sys/fs/cgroup/x/cpu.max --\n%A% %B%\n"
	for _, tc := range []struct {
		reason        string
		quota, period string
		onV1          bool // v1 and v2 say it alike but for "no limit"
		want          Quota
		cpus          int
		err           string // of v2
	}{
		{"half a CPU", "50000", "100000", true, Quota{Quota: 50000 * us, Period: 100000 * us}, 1, ""},
		{"exactly one", "70000", "70000", true, Quota{Quota: 70000 * us, Period: 70000 * us}, 1, ""},
		{"a little more than one is two", "100001", "100000", true, Quota{Quota: 100001 * us, Period: 100000 * us}, 2, ""},
		{"one and a half", "150000", "100000", true, Quota{Quota: 150000 * us, Period: 100000 * us}, 2, ""},
		{"four, with another period", "1000000", "250000", true, Quota{Quota: 1000000 * us, Period: 250000 * us}, 4, ""},
		{"the smallest quota and the longest period", "1000", "1000000", true, Quota{Quota: 1000 * us, Period: 1000000 * us}, 1, ""},
		{"the largest quota, 2^44-1 us", "17592186044415", "1000", true, Quota{Quota: 17592186044415 * us, Period: 1000 * us}, maxCPUs, ""},
		{"no limit", "max", "100000", false, Quota{}, 0, ""},
		{"a period of 0", "100000", "0", true, Quota{}, 0, "/sys/fs/cgroup/x/cpu.max:1: out of range"},
		{"a quota of 0", "0", "100000", true, Quota{}, 0, "/sys/fs/cgroup/x/cpu.max:1: out of range"},
		{"a quota that would not fit nanoseconds", "4503599627370497", "100000", true, Quota{}, 0, "/sys/fs/cgroup/x/cpu.max:1: out of range"},
		{"a period of an hour and more", "1000", "4294967297", true, Quota{}, 0, "/sys/fs/cgroup/x/cpu.max:1: out of range"},
		{"words", "lots", "100000", false, Quota{}, 0, "/sys/fs/cgroup/x/cpu.max:1: not the documented format"},
		{"no period", "1000", "", false, Quota{}, 0, "/sys/fs/cgroup/x/cpu.max:1: not the documented format"},
	} {
		check := func(version, archive, wantErr string) {
			s := snapshot(t, fill(archive, tc.quota, tc.period, ""))
			got, err := groupOf(t, s, CPU, "/x").Quota(s)
			got.At = At{}
			if got != tc.want || errText(err) != wantErr {
				t.Errorf("%s, %s: Quota = %+v, %q, want %+v, %q", version, tc.reason, got, errText(err), tc.want, wantErr)
			}
			if n := got.CPUs(); n != tc.cpus {
				t.Errorf("%s, %s: CPUs() = %d, want %d", version, tc.reason, n, tc.cpus)
			}
		}
		check("v2", v2, tc.err)
		if tc.onV1 {
			err := ""
			if tc.err != "" {
				err = "/sys/fs/cgroup/cpu,cpuacct/x/cpu.cfs_quota_us:1: out of range"
			}
			check("v1", v1, err)
		}
	}

	for _, tc := range []struct{ reason, archive, want string }{
		{"v1 without a limit", fill(v1, "-1", "100000", ""), ""},
		{"v1: no number", fill(v1, "x", "100000", ""), "/sys/fs/cgroup/cpu,cpuacct/x/cpu.cfs_quota_us:1: not a number"},
		{"v1: no period", fill(v1, "1000", "x", ""), "/sys/fs/cgroup/cpu,cpuacct/x/cpu.cfs_period_us:1: not a number"},
		{"v1: a kernel without CONFIG_CFS_BANDWIDTH", legacy, ""},
		{"v2: the controller is not enabled", unified, ""},
		{"v2: cannot be read", unified + "-- sys/fs/cgroup/x/cpu.max ! EIO --\n", "read /sys/fs/cgroup/x/cpu.max: input/output error"},
	} {
		s := snapshot(t, tc.archive)
		got, err := groupOf(t, s, CPU, "/x").Quota(s)
		if got != (Quota{}) || errText(err) != tc.want {
			t.Errorf("%s: Quota = %+v, %q, want none, %q", tc.reason, got, errText(err), tc.want)
		}
	}
}

func TestStricterQuota(t *testing.T) {
	const ms = time.Millisecond
	none, nothing := Quota{}, Quota{Period: 100 * ms}
	half, same, double := Quota{Quota: 50 * ms, Period: 100 * ms}, Quota{Quota: 100 * ms, Period: 200 * ms}, Quota{Quota: 200 * ms, Period: 100 * ms}
	for _, tc := range []struct {
		reason string
		q, x   Quota
		want   bool
	}{
		{"less of the same period", half, double, true},
		{"more", double, half, false},
		{"as much", half, same, false},
		{"a limit and none", half, none, true},
		{"none and a limit", none, half, false},
		{"none and none", none, none, false},
		{"nothing at all is a limit", nothing, half, true},
		{"and the strictest", half, nothing, false},
	} {
		if got := tc.q.less(tc.x); got != tc.want {
			t.Errorf("%s: %v less than %v = %v", tc.reason, tc.q, tc.x, got)
		}
	}
}

func TestQuotaUpTheTree(t *testing.T) {
	const tree = unified + `
-- sys/fs/cgroup/cpu.max --
1000 100000
-- sys/fs/cgroup/a/cpu.max --
%A%
-- sys/fs/cgroup/a/neighbour/cpu.max --
2000 100000
-- sys/fs/cgroup/a/b/cpu.max --
%B%
-- sys/fs/cgroup/a/b/c/cpu.max --
%C%
`
	const ms = time.Millisecond
	for _, tc := range []struct {
		reason        string
		a, b, c       string
		quota, period time.Duration
		at            string
	}{
		{"its own", "max 100000", "400000 100000", "150000 100000", 150 * ms, 100 * ms, "/a/b/c"},
		{"the parent's: a pod's limit over its containers'", "max 100000", "150000 100000", "400000 100000", 150 * ms, 100 * ms, "/a/b"},
		{"the grandparent's", "300000 100000", "max 100000", "max 100000", 300 * ms, 100 * ms, "/a"},
		{"what counts is the share, not the quota", "40000 10000", "max 100000", "100000 100000", 100 * ms, 100 * ms, "/a/b/c"},
		{"equal shares: the nearest", "100000 50000", "200000 100000", "max 100000", 200 * ms, 100 * ms, "/a/b"},
		{"none: the root's, where a kernel has one, is not asked", "max 100000", "max 100000", "max 100000", 0, 0, ""},
	} {
		s := snapshot(t, fill(tree, tc.a, tc.b, tc.c))
		got, err := groupOf(t, s, CPU, "/a/b/c").Quota(s)
		at := ""
		if got.At.Cgroup != nil {
			at = got.At.Cgroup.Path
		}
		if err != nil || got.Quota != tc.quota || got.Period != tc.period || at != tc.at {
			t.Errorf("%s: Quota = %v of %v at %q, %v, want %v of %v at %q", tc.reason, got.Quota, got.Period, at, err, tc.quota, tc.period, tc.at)
		}
	}
}

func TestV2CPUTime(t *testing.T) {
	const us = time.Microsecond
	const path = "/sys/fs/cgroup/x/cpu.stat"
	for _, tc := range []struct {
		reason string
		text   string
		want   CPUTime
		err    string
	}{
		{"before Linux 6.12", "usage_usec 99\nuser_usec 70\nsystem_usec 29\nnr_periods 5\n", CPUTime{User: 70 * us, System: 29 * us}, ""},
		{"since 6.12 user includes nice", "usage_usec 99\nuser_usec 70\nsystem_usec 29\nnice_usec 13\nnr_periods 5\n", CPUTime{User: 57 * us, Nice: 13 * us, System: 29 * us}, ""},
		{"nice alone, read a moment later", "user_usec 70\nsystem_usec 29\nnice_usec 71\n", CPUTime{User: 0, Nice: 70 * us, System: 29 * us}, ""},
		{"any order", "nice_usec 13\nsystem_usec 29\nuser_usec 70\n", CPUTime{User: 57 * us, Nice: 13 * us, System: 29 * us}, ""},
		{"no user time", "usage_usec 99\nsystem_usec 29\n", CPUTime{}, path + ": ends early"},
		{"no system time", "usage_usec 99\nuser_usec 70\n", CPUTime{}, path + ": ends early"},
		{"nothing", "", CPUTime{}, path + ": ends early"},
		{"no number", "usage_usec 99\nuser_usec\n", CPUTime{}, path + ":2: not a number"},
		{"no whole number", "user_usec 70\nsystem_usec 1.5\n", CPUTime{}, path + ":2: not a number"},
		{"285 years", "user_usec 9007199254740992\nsystem_usec 29\n", CPUTime{User: 9007199254740992 * us, System: 29 * us}, ""},
		{"more would not fit nanoseconds", "user_usec 9007199254740993\nsystem_usec 29\n", CPUTime{}, path + ":1: out of range"},
	} {
		s := snapshot(t, unified+"-- sys/fs/cgroup/x/cpu.stat --\n"+tc.text)
		got := CPUTime{User: 1, Nice: 2, System: 3, PerCPU: []CPUUse{{4, 5}}} // of the cgroup before
		err := groupOf(t, s, CPUAcct, "/x").CPUTime(s, &got)
		if errText(err) != tc.err {
			t.Errorf("%s: CPUTime: %q, want %q", tc.reason, errText(err), tc.err)
		}
		if err != nil {
			continue
		}
		if at := where(0, got.At).At; at != "/x cpu.stat" {
			t.Errorf("%s: read at %q", tc.reason, at)
		}
		if got.User != tc.want.User || got.Nice != tc.want.Nice || got.System != tc.want.System || len(got.PerCPU) != 0 {
			t.Errorf("%s: CPUTime = %+v, want %+v", tc.reason, got, tc.want)
		}
	}
	s := snapshot(t, unified)
	if err := groupOf(t, s, CPUAcct, "/x").CPUTime(s, new(CPUTime)); !Missing(err) {
		t.Errorf("CPUTime of a removed cgroup: %v, want it missing", err)
	}
}

func TestV1CPUTime(t *testing.T) {
	const dir = "sys/fs/cgroup/cpu,cpuacct/x/cpuacct."
	for _, tc := range []struct {
		reason  string
		archive string
		want    CPUTime
		file    string
		err     string
	}{
		{
			"an archive with usage_all alone, in nanoseconds",
			"-- " + dir + "usage_all --\ncpu user system\n0 11 22\n1 33 44\n",
			CPUTime{User: 44, System: 66, PerCPU: []CPUUse{{11, 22}, {33, 44}}}, "usage_all usage_all", "",
		},
		{
			"rows are named: some missing, out of order",
			"-- " + dir + "usage_all --\ncpu user system\n3 11 22\n1 33 44\n",
			CPUTime{User: 44, System: 66, PerCPU: []CPUUse{{}, {33, 44}, {}, {11, 22}}}, "usage_all usage_all", "",
		},
		{
			"each CPU's exact time, divided as its samples are",
			"-- " + dir + "usage_all --\ncpu user system\n0 10 30\n1 7 0\n2 0 7\n3 0 0\n-- " + dir + "usage_percpu --\n400 70 90 5 \n-- " + dir + "stat --\nuser 1\nsystem 2\n",
			CPUTime{User: 175, System: 390, PerCPU: []CPUUse{{100, 300}, {70, 0}, {0, 90}, {5, 0}}}, "usage_percpu usage_all", "",
		},
		{
			"samples that say more than was used",
			"-- " + dir + "usage_all --\ncpu user system\n0 600 200\n-- " + dir + "usage_percpu --\n400\n",
			CPUTime{User: 300, System: 100, PerCPU: []CPUUse{{300, 100}}}, "usage_percpu usage_all", "",
		},
		{
			"centuries of it, to the nanosecond",
			"-- " + dir + "usage_all --\ncpu user system\n0 4611686018427387903 4611686018427387904\n-- " + dir + "usage_percpu --\n4611686018427387903\n",
			CPUTime{User: 2305843009213693951, System: 2305843009213693952, PerCPU: []CPUUse{{2305843009213693951, 2305843009213693952}}}, "usage_percpu usage_all", "",
		},
		{
			"before Linux 4.8: split as all CPUs' time is",
			"-- " + dir + "usage_percpu --\n400 800 0 40 \n-- " + dir + "stat --\nuser 3\nsystem 1\n",
			CPUTime{User: 930, System: 310, PerCPU: []CPUUse{{300, 100}, {600, 200}, {0, 0}, {30, 10}}}, "usage_percpu stat", "",
		},
		{
			"too little time for a tick: all user",
			"-- " + dir + "usage_percpu --\n400 7\n-- " + dir + "stat --\nuser 0\nsystem 0\n",
			CPUTime{User: 407, PerCPU: []CPUUse{{400, 0}, {7, 0}}}, "usage_percpu stat", "",
		},
		{
			"system time only",
			"-- " + dir + "usage_percpu --\n400 7\n-- " + dir + "stat --\nsystem 5\nuser 0\n",
			CPUTime{System: 407, PerCPU: []CPUUse{{0, 400}, {0, 7}}}, "usage_percpu stat", "",
		},
		{"no header", "-- " + dir + "usage_all --\n0 11 22\n", CPUTime{}, "", "/" + dir + "usage_all:1: not the documented format"},
		{"an empty file", "-- " + dir + "usage_all --\n", CPUTime{}, "", "/" + dir + "usage_all:1: not the documented format"},
		{"a short row", "-- " + dir + "usage_all --\ncpu user system\n0 11 22\n1 33\n", CPUTime{}, "", "/" + dir + "usage_all:3: not a number"},
		{"a negative time", "-- " + dir + "usage_all --\ncpu user system\n0 -11 22\n", CPUTime{}, "", "/" + dir + "usage_all:2: not a number"},
		{"a CPU that cannot be", "-- " + dir + "usage_all --\ncpu user system\n65536 11 22\n", CPUTime{}, "", "/" + dir + "usage_all:2: out of range"},
		{"a user time that cannot be", "-- " + dir + "usage_all --\ncpu user system\n0 4611686018427387905 22\n", CPUTime{}, "", "/" + dir + "usage_all:2: out of range"},
		{"a system time that cannot be", "-- " + dir + "usage_all --\ncpu user system\n0 11 4611686018427387905\n", CPUTime{}, "", "/" + dir + "usage_all:2: out of range"},
		{"unreadable", "-- " + dir + "usage_all ! EIO --\n", CPUTime{}, "", "read /" + dir + "usage_all: input/output error"},
		{"neither file", "", CPUTime{}, "", "read /" + dir + "usage_percpu: file does not exist"},
		{"no totals to split by", "-- " + dir + "usage_percpu --\n400\n", CPUTime{}, "", "read /" + dir + "stat: file does not exist"},
		{"per CPU no number", "-- " + dir + "usage_percpu --\n400 x\n-- " + dir + "stat --\nuser 1\nsystem 2\n", CPUTime{}, "", "/" + dir + "usage_percpu:1: not a number"},
		{"per CPU a number with a tail", "-- " + dir + "usage_percpu --\n400 1x\n-- " + dir + "stat --\nuser 1\nsystem 2\n", CPUTime{}, "", "/" + dir + "usage_percpu:1: not a number"},
		{"per CPU unreadable", "-- " + dir + "usage_all --\ncpu user system\n0 11 22\n-- " + dir + "usage_percpu ! EIO --\n", CPUTime{}, "", "read /" + dir + "usage_percpu: input/output error"},
		{"per CPU a time that cannot be", "-- " + dir + "usage_all --\ncpu user system\n0 11 22\n-- " + dir + "usage_percpu --\n400 4611686018427387905\n", CPUTime{}, "", "/" + dir + "usage_percpu:1: out of range"},
		{"totals no number", "-- " + dir + "usage_percpu --\n400\n-- " + dir + "stat --\nuser 1\nsystem x\n", CPUTime{}, "", "/" + dir + "stat:2: not a number"},
		{"totals that cannot be do not wrap", "-- " + dir + "usage_percpu --\n400\n-- " + dir + "stat --\nuser 9223372036854775808\nsystem 9223372036854775808\n", CPUTime{}, "", "/" + dir + "stat:1: out of range"},
	} {
		s := snapshot(t, legacy+tc.archive)
		got := CPUTime{User: 1, Nice: 2, System: 3, PerCPU: []CPUUse{{4, 5}, {6, 7}, {8, 9}, {10, 11}}} // of the cgroup before
		err := groupOf(t, s, CPUAcct, "/x").CPUTime(s, &got)
		if errText(err) != tc.err {
			t.Errorf("%s: CPUTime: %q, want %q", tc.reason, errText(err), tc.err)
		}
		if err != nil {
			continue
		}
		files := strings.ReplaceAll(where(0, got.At).At+" "+where(0, got.SplitAt).At, "/x cpuacct.", "")
		if files != tc.file {
			t.Errorf("%s: read at %q, want %q", tc.reason, files, tc.file)
		}
		got.At, got.SplitAt = At{}, At{}
		if diff := cmp.Diff(tc.want, got, cmp.AllowUnexported(At{})); diff != "" {
			t.Errorf("%s (-want +got)\n%s", tc.reason, diff)
		}
	}
}

func TestCPUSet(t *testing.T) {
	for _, tc := range []struct {
		reason  string
		archive string
		set     Controller
		want    string
		at      string
		err     string
	}{
		{"v2: what is effective, not what was asked for", unified + "-- sys/fs/cgroup/a/b/cpuset.cpus.effective --\n0,2\n-- sys/fs/cgroup/a/b/cpuset.cpus --\n0-7\n", CPUSet, "0,2", "/a/b cpuset.cpus.effective", ""},
		{"v1", legacy + "-- sys/fs/cgroup/cpuset/a/b/cpuset.effective_cpus --\n1,3\n-- sys/fs/cgroup/cpuset/a/b/cpuset.cpus --\n0-7\n", CPUSet, "1,3", "/a/b cpuset.effective_cpus", ""},
		{"not enabled here: the next above", unified + "-- sys/fs/cgroup/a/cpuset.cpus.effective --\n4-5\n-- sys/fs/cgroup/cpuset.cpus.effective --\n0-7\n", CPUSet, "4-5", "/a cpuset.cpus.effective", ""},
		{"not enabled but at the root", unified + "-- sys/fs/cgroup/cpuset.cpus.effective --\n0-7\n", CPUSet, "0-7", "/ cpuset.cpus.effective", ""},
		{"an empty set has no CPUs to show: the next above", legacy + "-- sys/fs/cgroup/cpuset/a/b/cpuset.effective_cpus --\n\n-- sys/fs/cgroup/cpuset/a/cpuset.effective_cpus --\n6\n", CPUSet, "6", "/a cpuset.effective_cpus", ""},
		{"empty up to the root", unified + "-- sys/fs/cgroup/cpuset.cpus.effective --\n\n", CPUSet, "", "", ""},
		{"nowhere", unified, CPUSet, "", "", "read /sys/fs/cgroup/cpuset.cpus.effective: file does not exist"},
		{"not a list", unified + "-- sys/fs/cgroup/a/b/cpuset.cpus.effective --\nall\n", CPUSet, "", "", "/sys/fs/cgroup/a/b/cpuset.cpus.effective:1: not a number"},
		{"unreadable", unified + "-- sys/fs/cgroup/a/b/cpuset.cpus.effective ! EIO --\n", CPUSet, "", "", "read /sys/fs/cgroup/a/b/cpuset.cpus.effective: input/output error"},
	} {
		s := snapshot(t, tc.archive)
		got, at, err := groupOf(t, s, tc.set, "/a/b").CPUSet(s, CPUList{1 << 50, 3})
		if got.String() != tc.want || where(0, at).At != tc.at || errText(err) != tc.err {
			t.Errorf("%s: CPUSet = %s at %q, %q, want %s at %q, %q", tc.reason, got, where(0, at).At, errText(err), tc.want, tc.at, tc.err)
		}
	}
}

func TestOnline(t *testing.T) {
	for _, tc := range []struct{ reason, archive, want, err string }{
		{"with a CPU offline", "-- sys/devices/system/cpu/online --\n0-2,5\n", "0-2,5", ""},
		{"not there", "", "", "read /sys/devices/system/cpu/online: file does not exist"},
		{"not a list", "-- sys/devices/system/cpu/online --\nx\n", "", "/sys/devices/system/cpu/online:1: not a number"},
	} {
		got, err := New(plant(t, tc.archive)).Snapshot().Online(CPUList{1 << 50})
		if got.String() != tc.want || errText(err) != tc.err {
			t.Errorf("%s: Online = %s, %q, want %s, %q", tc.reason, got, errText(err), tc.want, tc.err)
		}
	}
}

func TestNow(t *testing.T) {
	const path = "/proc/uptime"
	for _, tc := range []struct {
		reason, text string
		want         time.Duration
		err          string
	}{
		{"seconds and hundredths", "350735.47 234388.90\n", 350735*time.Second + 470*time.Millisecond, ""},
		{"a leading zero in the hundredths", "7.05 19.75\n", 7*time.Second + 50*time.Millisecond, ""},
		{"just booted", "0.00 0.00\n", 0, ""},
		{"136 years", "4294967296.99 0.00\n", 4294967296*time.Second + 990*time.Millisecond, ""},
		{"more than that", "4294967297.00 0.00\n", 0, path + ":1: not the documented format"},
		{"no fraction", "12 13\n", 0, path + ":1: not the documented format"},
		{"cut off", "12.3", 0, path + ":1: not the documented format"},
		{"tenths would be read as hundredths", "12.3 4.56\n", 0, path + ":1: not the documented format"},
		{"no digits", "x.00 0.00\n", 0, path + ":1: not the documented format"},
		{"no digits behind the point", "1.xx 0.00\n", 0, path + ":1: not the documented format"},
		{"empty", "", 0, path + ":1: not the documented format"},
	} {
		got, err := New(plant(t, "-- proc/uptime --\n"+tc.text)).Snapshot().Now()
		if got != tc.want || errText(err) != tc.err {
			t.Errorf("%s: Now(%q) = %v, %q, want %v, %q", tc.reason, tc.text, got, errText(err), tc.want, tc.err)
		}
	}
	if _, err := New(plant(t, "")).Snapshot().Now(); !Missing(err) {
		t.Errorf("Now() without /proc/uptime: %v, want it missing", err)
	}
}

func TestCPUUsed(t *testing.T) {
	const v1, v2 = "/sys/fs/cgroup/cpu,cpuacct/x/cpuacct.usage_percpu", "/sys/fs/cgroup/x/cpu.stat"
	for _, tc := range []struct {
		reason, archive, path, text string
		want                        time.Duration
		err                         string
	}{
		{"v1: all CPUs, nanoseconds", legacy, v1, "20 0 3 \n", 23, ""},
		{"v2: microseconds, of which the rest are parts", unified, v2, "usage_usec 23\nuser_usec 20\n", 23 * time.Microsecond, ""},
		{"146 years on a CPU", legacy, v1, "4611686018427387904 \n", 1 << 62, ""},
		{"more", legacy, v1, "4611686018427387905 \n", 0, v1 + ":1: out of range"},
		{"as many in microseconds", unified, v2, "usage_usec 4611686018427387\n", 4611686018427387 * time.Microsecond, ""},
		{"one more", unified, v2, "usage_usec 4611686018427388\n", 0, v2 + ":1: out of range"},
		{"no number", unified, v2, "usage_usec many\n", 0, v2 + ":1: not a number"},
		{"another line is the first", unified, v2, "user_usec 20\n", 0, v2 + ":1: not a number"},
	} {
		s := snapshot(t, tc.archive+"-- "+tc.path[1:]+" --\n"+tc.text)
		if got, err := groupOf(t, s, CPUAcct, "/x").CPUUsed(s); got != tc.want || errText(err) != tc.err {
			t.Errorf("%s: CPUUsed = %d, %q, want %d, %q", tc.reason, got, errText(err), tc.want, tc.err)
		}
	}
	s := snapshot(t, unified)
	if _, err := groupOf(t, s, CPUAcct, "/x").CPUUsed(s); !Missing(err) {
		t.Errorf("CPUUsed of a cgroup that is gone: %v", err)
	}
}
