//go:build integration

package bench_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"lxcfs/cmd/internal/bench"
)

// TestHost measures the host's own files from real containers, in every form, and
// wants nothing left behind.
func TestHost(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Fatal("integration tests need root")
	}
	dir := t.TempDir()
	run := func(args ...string) *bench.Report {
		t.Helper()
		var out, errs bytes.Buffer
		cmd := bench.Command()
		cmd.SetContext(t.Context())
		cmd.SetOut(&out)
		cmd.SetErr(&errs)
		cmd.SetArgs(append(args, "--ours=", "--peer=", "--null=", "--host", "--rounds", "2", "--round", "20ms", "--json", "-", "--out", dir))
		if err := cmd.Execute(); err != nil {
			t.Fatalf("bench %v: %v\n%s", args, err, errs.String())
		}
		var r bench.Report
		if err := json.Unmarshal(out.Bytes(), &r); err != nil {
			t.Fatalf("bench %v: %v\n%s", args, err, out.String())
		}
		return &r
	}
	for _, args := range [][]string{
		{"--form", "orc", "--readers", "3", "--containers", "7", "--files", "all", "--depth", "4"},
		{"--form", "readall", "--readers", "5", "--containers", "2"},
		{"--form", "cat", "--depth", "0"},
		{"--form", "pread", "--place", "cross"},
		{"--form", "open"},
		{"--form", "byte", "--files", "/proc/uptime"},
		{"--per-second", "100"},
		{"--hogs", "--place", "free"},
		{"--abuse", "freeze"},
		{"--abuse", "churn"},
	} {
		s := run(args...).Results[0].Servers[bench.Host]
		if s.Ops == 0 || s.Errors != 0 || s.P50 <= 0 || s.P50 > s.Max {
			t.Errorf("bench %v: %+v", args, s)
		}
		if args[0] == "--per-second" && s.Ops > 6 {
			t.Errorf("%d operations in 40 ms at 100 per second", s.Ops)
		}
	}
	if s := run("--files", "/proc/nosuch").Results[0].Servers[bench.Host]; s.Errors != s.Ops || s.Err != "no such file or directory" {
		t.Errorf("a file that is not there: %+v", s)
	}
	for _, pattern := range []string{"/sys/fs/cgroup/*/%s%d*", "/sys/fs/cgroup/%s%d*"} {
		left, err := filepath.Glob(fmt.Sprintf(pattern, bench.Prefix, os.Getpid()))
		if err != nil || len(left) > 0 {
			t.Errorf("left behind: %v, %v", left, err)
		}
	}
	plots, err := filepath.Glob(filepath.Join(dir, "*.svg"))
	if err != nil || len(plots) != 4 {
		t.Errorf("plots: %v, %v, want 4", plots, err)
	}
}
