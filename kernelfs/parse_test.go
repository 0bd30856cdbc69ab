package kernelfs

import (
	"errors"
	"io/fs"
	"math"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseUint(t *testing.T) {
	for _, tc := range []struct {
		reason string
		in     string
		n      uint64
		rest   string
		ok     bool
	}{
		{"digits alone", "42", 42, "", true},
		{"a number ends at the first other byte", "17\n", 17, "\n", true},
		{"a minus is no digit: v1 prints -1 for no quota", "-1", 0, "-1", false},
		{"a plus is no digit", "+1", 0, "+1", false},
		{"nothing is no number", "", 0, "", false},
		{"a blank is not skipped", " 1", 0, " 1", false},
		{"leading zeros are printed in masks and versions", "007x", 7, "x", true},
		{"zero", "0", 0, "", true},
		{"the byte below '0'", "/", 0, "/", false},
		{"the byte above '9'", ":", 0, ":", false},
		{"the largest number", "18446744073709551615", math.MaxUint64, "", true},
		{"one more does not wrap", "18446744073709551616", 0, "18446744073709551616", false},
		{"ten times more does not wrap", "184467440737095516150", 0, "184467440737095516150", false},
	} {
		n, rest, ok := ParseUint([]byte(tc.in))
		if n != tc.n || string(rest) != tc.rest || ok != tc.ok {
			t.Errorf("%s: ParseUint(%q) = %d, %q, %v, want %d, %q, %v", tc.reason, tc.in, n, rest, ok, tc.n, tc.rest, tc.ok)
		}
	}
}

func TestOneNumber(t *testing.T) {
	for _, tc := range []struct {
		reason string
		in     string
		want   Bytes
		err    string
	}{
		{"a v2 limit", "67108864\n", 67108864, ""},
		{"without a newline, as some captures have it", "5", 5, ""},
		{"no limit", "max\n", NoLimit, ""},
		{"v1's largest page counter is a number like others here", "9223372036854771712\n", 9223372036854771712, ""},
		{"an empty file, as a cgroup being removed may show", "", 0, "/f:1: not a number"},
		{"two numbers are another file", "1 2\n", 0, "/f:1: not a number"},
		{"a negative number", "-1\n", 0, "/f:1: not a number"},
		{"a unit", "64M\n", 0, "/f:1: not a number"},
		{"more than 64 bits", "18446744073709551616\n", 0, "/f:1: not a number"},
	} {
		got, err := oneNumber("/f", []byte(tc.in))
		if got != tc.want || errText(err) != tc.err {
			t.Errorf("%s: oneNumber(%q) = %d, %v, want %d, %q", tc.reason, tc.in, got, err, tc.want, tc.err)
		}
	}
}

func TestLine(t *testing.T) {
	for _, tc := range []struct{ in, line, rest string }{
		{"a\nb\n", "a", "b\n"},
		{"a", "a", ""},
		{"\nb", "", "b"},
		{"", "", ""},
	} {
		if line, rest := Line([]byte(tc.in)); string(line) != tc.line || string(rest) != tc.rest {
			t.Errorf("Line(%q) = %q, %q, want %q, %q", tc.in, line, rest, tc.line, tc.rest)
		}
	}
}

func TestField(t *testing.T) {
	for _, tc := range []struct{ reason, in, field, rest string }{
		{"the first word", "cpu 1 2", "cpu", " 1 2"},
		{"blanks before it", "   7 8", "7", " 8"},
		{"tabs, as in /proc/PID/status", "\t\t7\t8", "7", "\t8"},
		{"not beyond the line", " \nnext", "", "\nnext"},
		{"a word ends at the newline", "a\nb", "a", "\nb"},
		{"nothing", "", "", ""},
	} {
		if f, rest := Field([]byte(tc.in)); string(f) != tc.field || string(rest) != tc.rest {
			t.Errorf("%s: Field(%q) = %q, %q, want %q, %q", tc.reason, tc.in, f, rest, tc.field, tc.rest)
		}
	}
}

func TestParseErrorText(t *testing.T) {
	cause := errors.New("not a number")
	for _, tc := range []struct {
		err  ParseError
		want string
	}{
		{ParseError{"/proc/stat", 3, cause}, "/proc/stat:3: not a number"},
		{ParseError{"/proc/stat", 0, cause}, "/proc/stat: not a number"},
	} {
		if got := tc.err.Error(); got != tc.want {
			t.Errorf("ParseError%+v = %q, want %q", tc.err, got, tc.want)
		}
		if !errors.Is(&tc.err, cause) {
			t.Errorf("ParseError%+v does not wrap its cause", tc.err)
		}
		if Missing(&tc.err) {
			t.Errorf("Missing(%v) = true: a file that reads oddly is there", &tc.err)
		}
	}
}

func TestBytes(t *testing.T) {
	type results struct{ Sub, Add Bytes }
	for _, tc := range []struct {
		reason string
		a, b   Bytes
		want   results
	}{
		{"plain", 700, 300, results{400, 1000}},
		{"usage above a limit that was just lowered", 300, 700, results{0, 1000}},
		{"equal", 5, 5, results{0, 10}},
		{"no limit and something stay no limit", NoLimit, 1, results{NoLimit - 1, NoLimit}},
		{"a sum of 2^64 does not wrap", NoLimit - 9, 10, results{NoLimit - 19, NoLimit}},
		{"a sum of 2^64-1 fits", NoLimit - 10, 10, results{NoLimit - 20, NoLimit}},
	} {
		if diff := cmp.Diff(tc.want, results{tc.a.Sub(tc.b), tc.a.Add(tc.b)}); diff != "" {
			t.Errorf("%s: %d and %d (-want +got)\n%s", tc.reason, tc.a, tc.b, diff)
		}
	}
	for _, tc := range []struct {
		in   Bytes
		want uint64
	}{{0, 0}, {1023, 0}, {1024, 1}, {4097, 4}, {NoLimit, 1<<54 - 1}} {
		if got := tc.in.KB(); got != tc.want {
			t.Errorf("Bytes(%d).KB() = %d, want %d", tc.in, got, tc.want)
		}
	}
	if got := min(NoLimit, 4096); got != 4096 {
		t.Errorf("min(NoLimit, 4096) = %d, want 4096", got)
	}
}

func TestMissing(t *testing.T) {
	for _, tc := range []struct {
		reason string
		err    error
		want   bool
	}{
		{"a file this kernel does not have", syscall.ENOENT, true},
		{"a cgroup that was removed", syscall.ENODEV, true},
		{"a process that ended", syscall.ESRCH, true},
		{"pressure of a kernel booted with psi=0", syscall.EOPNOTSUPP, true},
		{"a refusal is no absence", syscall.EACCES, false},
		{"nor is a failing device", syscall.EIO, false},
	} {
		err := pathError("/x", &fs.PathError{Op: "open", Path: "/elsewhere", Err: tc.err})
		if got := Missing(err); got != tc.want {
			t.Errorf("%s: Missing(%v) = %v, want %v", tc.reason, err, got, tc.want)
		}
		var pe *fs.PathError
		if !errors.As(err, &pe) || pe.Path != "/x" || !errors.Is(err, tc.err) {
			t.Errorf("%s: pathError = %v, want it to name /x and wrap %v", tc.reason, err, tc.err)
		}
	}
	if Missing(nil) {
		t.Error("Missing(nil) = true")
	}
}
