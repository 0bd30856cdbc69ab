package kernelfs

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// cpus returns the set of the list s.
func cpus(t testing.TB, s string) CPUList {
	t.Helper()
	l, err := ParseCPUList("", []byte(s), nil)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestParseCPUList(t *testing.T) {
	for _, tc := range []struct {
		reason string
		in     string
		want   []int
		err    string
	}{
		{"one CPU", "3\n", []int{3}, ""},
		{"a range has both ends", "0-3\n", []int{0, 1, 2, 3}, ""},
		{"ranges and single CPUs", "0-1,4,6-7\n", []int{0, 1, 4, 6, 7}, ""},
		{"in any order, as a person writes cpuset.cpus", "7,0-1", []int{0, 1, 7}, ""},
		{"overlapping", "0-2,1-3", []int{0, 1, 2, 3}, ""},
		{"over the words of the set", "62-65,127-128", []int{62, 63, 64, 65, 127, 128}, ""},
		{"no CPU: a cpuset without tasks, /sys/.../offline", "\n", nil, ""},
		{"an empty file", "", nil, ""},
		{"a range of one", "5-5", []int{5}, ""},
		{"the highest that Linux could name", "65535", []int{65535}, ""},
		{"beyond what Linux could name: no memory is taken for it", "65536", nil, "/f:1: out of range"},
		{"a wide range costs nothing either", "0-4294967295", nil, "/f:1: out of range"},
		{"a range that runs down", "3-1", nil, "/f:1: out of range"},
		{"a list without its end", "0-", nil, "/f:1: not a number"},
		{"a list without its start", "-3", nil, "/f:1: not a number"},
		{"an empty element", "0,,2", nil, "/f:1: not a number"},
		{"words", "all", nil, "/f:1: not a number"},
		{"a mask is no list", "1 2", nil, "/f:1: not the documented format"},
	} {
		l, err := ParseCPUList("/f", []byte(tc.in), CPUList{1 << 40, 7}) // what stood in dst is forgotten
		if errText(err) != tc.err {
			t.Errorf("%s: ParseCPUList(%q): error %q, want %q", tc.reason, tc.in, errText(err), tc.err)
		}
		if err != nil {
			continue
		}
		if diff := cmp.Diff(tc.want, slices.Collect(l.All())); diff != "" {
			t.Errorf("%s: ParseCPUList(%q) (-want +got)\n%s", tc.reason, tc.in, diff)
		}
	}
}

func TestCPUListAppend(t *testing.T) {
	for _, tc := range []struct{ reason, in, want string }{
		{"empty", "", ""},
		{"one", "0", "0"},
		{"a pair is a range for the kernel", "0,1", "0-1"},
		{"neighbours join", "0-1,2,3", "0-3"},
		{"a gap of one", "0,2", "0,2"},
		{"over a word", "63,64", "63-64"},
		{"a whole word", "0-63", "0-63"},
		{"high CPUs", "1000-1023,8191", "1000-1023,8191"},
	} {
		if got := cpus(t, tc.in).String(); got != tc.want {
			t.Errorf("%s: CPUList(%s).String() = %q, want %q", tc.reason, tc.in, got, tc.want)
		}
	}
	if got := string(cpus(t, "1-2").AppendList([]byte("Cpus:\t"))); got != "Cpus:\t1-2" {
		t.Errorf("AppendList = %q, want it behind what was there", got)
	}
}

func TestCPUListQueries(t *testing.T) {
	for _, tc := range []struct {
		in         string
		count, max int
		has, hasno []int
	}{
		{"", 0, -1, nil, []int{-1, 0, 64}},
		{"0", 1, 0, []int{0}, []int{-1, 1, 64}},
		{"0-3,7", 5, 7, []int{0, 3, 7}, []int{4, 6, 8, 71}},
		{"63", 1, 63, []int{63}, []int{62, 64, 127}},
		{"64", 1, 64, []int{64}, []int{0, 63, 65}},
		{"1,130", 2, 130, []int{1, 130}, []int{2, 65, 129, 131, 1 << 20}},
		{"0-1023", 1024, 1023, []int{0, 512, 1023}, []int{1024}},
	} {
		l := cpus(t, tc.in)
		if got := l.Count(); got != tc.count {
			t.Errorf("CPUList(%s).Count() = %d, want %d", tc.in, got, tc.count)
		}
		if got := l.Max(); got != tc.max {
			t.Errorf("CPUList(%s).Max() = %d, want %d", tc.in, got, tc.max)
		}
		for _, n := range tc.has {
			if !l.Has(n) {
				t.Errorf("CPUList(%s).Has(%d) = false", tc.in, n)
			}
		}
		for _, n := range tc.hasno {
			if l.Has(n) {
				t.Errorf("CPUList(%s).Has(%d) = true", tc.in, n)
			}
		}
	}
}

func TestCPUListMaxOfEmptyWords(t *testing.T) {
	l := cpus(t, "5,200")
	l.Remove(200)
	if got := l.Max(); got != 5 {
		t.Errorf("Max() = %d, want 5: words above it are empty", got)
	}
}

func TestCPUListCut(t *testing.T) {
	for _, tc := range []struct {
		reason string
		in     string
		n      int
		want   string
	}{
		{"the lowest stay", "0-7", 3, "0-2"},
		{"with gaps", "1,3,5,7", 2, "1,3"},
		{"more than there are", "0,2", 5, "0,2"},
		{"as many as there are", "0,2", 2, "0,2"},
		{"none", "0-3", 0, ""},
		{"over words", "60-70,130", 7, "60-66"},
		{"to the end of a word", "62-65", 2, "62-63"},
	} {
		l := cpus(t, tc.in)
		l.Cut(tc.n)
		if got := l.String(); got != tc.want {
			t.Errorf("%s: CPUList(%s).Cut(%d) leaves %s, want %s", tc.reason, tc.in, tc.n, got, tc.want)
		}
	}
}

func TestCPUListRemove(t *testing.T) {
	for _, tc := range []struct {
		in   string
		n    int
		want string
	}{
		{"0-3", 2, "0-1,3"},
		{"0-3", 9, "0-3"},
		{"64-66", 64, "65-66"},
		{"0", 1000, "0"},
		{"0", -1, "0"},
	} {
		l := cpus(t, tc.in)
		l.Remove(tc.n)
		if got := l.String(); got != tc.want {
			t.Errorf("CPUList(%s).Remove(%d) leaves %s, want %s", tc.in, tc.n, got, tc.want)
		}
	}
}

func TestCPUListEqual(t *testing.T) {
	for _, tc := range []struct {
		a, b string
		want bool
	}{
		{"", "", true},
		{"0-3", "0,1,2,3", true},
		{"0-3", "0-2", false},
		{"0-3", "0-3,64", false},
		{"0-3,64", "0-3", false},
		{"", "1", false},
	} {
		if got := cpus(t, tc.a).Equal(cpus(t, tc.b)); got != tc.want {
			t.Errorf("CPUList(%s).Equal(%s) = %v, want %v", tc.a, tc.b, got, tc.want)
		}
	}
	long := cpus(t, "0-3,100")
	long.Remove(100)
	if !long.Equal(cpus(t, "0-3")) || !cpus(t, "0-3").Equal(long) {
		t.Error("empty words at the end make a difference")
	}
}

func TestCPUListCopyKeepsApart(t *testing.T) {
	l := cpus(t, "0-3")
	c := l.Copy(CPUList{9, 9, 9})
	c.Remove(0)
	if l.String() != "0-3" || c.String() != "1-3" {
		t.Errorf("after removing 0 from the copy: original %v, copy %v, want 0-3, 1-3", l, c)
	}
}

func TestCPURange(t *testing.T) {
	for n, want := range map[int]string{0: "", 1: "0", 64: "0-63", 65: "0-64", -3: ""} {
		if got := CPURange(n).String(); got != want {
			t.Errorf("CPURange(%d) = %q, want %q", n, got, want)
		}
	}
}

func TestCPUListAllStops(t *testing.T) {
	var got []int
	for n := range cpus(t, "1-3,70").All() {
		if got = append(got, n); len(got) == 2 {
			break
		}
	}
	if diff := cmp.Diff([]int{1, 2}, got); diff != "" {
		t.Errorf("two of 1-3,70 (-want +got)\n%s", diff)
	}
}

func TestCutMask(t *testing.T) {
	for _, tc := range []struct {
		reason string
		set    string
		in     string
		want   string
		ok     bool
	}{
		{"all of four CPUs", "0-3", "f", "f", true},
		{"two of four", "0,2", "f", "5", true},
		{"bits that were clear stay clear", "0-3", "a", "a", true},
		{"the width, of the possible CPUs, stays", "0-1", "ffff", "0003", true},
		{"one bit of each digit", "0,5,10,15", "ffff", "8421", true},
		{"highest word first", "32", "00000003,ffffffff", "00000001,00000000", true},
		{"a CPU beyond the mask", "0,99", "f", "1", true},
		{"the empty set", "", "ff,ffffffff", "00,00000000", true},
		{"capitals, which no kernel prints, are read", "0-7", "FA", "fa", true},
		{"the empty mask", "0", "", "", true},
		{"a list is no mask", "0", "0-3", "", false},
		{"a letter after f", "0", "g", "", false},
		{"the bytes between digits and letters", "0", ":", "", false},
		{"a newline is not the mask's", "0", "f\n", "", false},
	} {
		mask := []byte(tc.in)
		ok := cpus(t, tc.set).CutMask(mask)
		if ok != tc.ok || ok && string(mask) != tc.want {
			t.Errorf("%s: CPUList(%s).CutMask(%q) = %v, %q, want %v, %q", tc.reason, tc.set, tc.in, ok, mask, tc.ok, tc.want)
		}
	}
}
