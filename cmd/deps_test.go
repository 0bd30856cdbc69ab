// Package cmd_test holds what is true of all commands together: what they may link.
package cmd_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// rules are the import rules of the architecture: "cmd -> fuse -> core -> kernelfs -> afero", transitively and without tests.
var rules = []struct {
	pkg    string // whose dependencies
	direct bool   // only what its own sources import
	never  []string
	reason string
}{
	{
		pkg: "lxcfs/cmd/lxcfs", never: []string{"testing", "lxcfs/fakekernel", "github.com/rogpeppe/go-internal/..."},
		reason: "what runs as root on every host carries no test code",
	},
	{
		pkg: "lxcfs/cmd/lxcfs", never: []string{"github.com/spf13/cobra", "gonum.org/v1/plot/...", "text/template", "html/template"},
		reason: "the daemon stays small; what people call is lxcfsctl",
	},
	{ // afero imports net/http for a part of it that is not used, so the rule cannot be transitive
		pkg: "lxcfs/cmd/lxcfs", direct: true, never: []string{"net", "net/http"},
		reason: "the daemon talks to containers through files only",
	},
	{
		pkg: "lxcfs/fuse/...", direct: true, never: []string{"github.com/spf13/afero/...", "lxcfs/fakekernel/...", "lxcfs/cmd/..."},
		reason: "fuse carries files and does not know where their content comes from",
	},
	{
		pkg: "lxcfs/core/...", never: []string{"github.com/hanwen/go-fuse/...", "lxcfs/fuse/...", "lxcfs/fakekernel/...", "lxcfs/cmd/...", "os/exec"},
		reason: "core turns values into bytes: no file system, no process",
	},
	{
		pkg: "lxcfs/core/...", direct: true, never: []string{"github.com/spf13/afero/..."},
		reason: "kernelfs is the one seam",
	},
	{
		pkg: "lxcfs/kernelfs/...", never: []string{"lxcfs/core/...", "lxcfs/fuse/...", "lxcfs/fakekernel/...", "lxcfs/cmd/...", "github.com/hanwen/go-fuse/..."},
		reason: "kernelfs turns kernel files into values and knows nothing of their use",
	},
	{
		pkg: "lxcfs/fakekernel/...", never: []string{"lxcfs/core/...", "lxcfs/kernelfs/...", "lxcfs/fuse/...", "lxcfs/cmd/..."},
		reason: "the fake is an independent witness: it shares no code with what it tests",
	},
	{
		pkg: "lxcfs/cmd/...", direct: true, never: []string{"github.com/hanwen/go-fuse/..."},
		reason: "only package fuse knows go-fuse, so that it can be replaced there",
	},
}

func TestDependencies(t *testing.T) {
	for _, r := range rules {
		field := `{{join .Deps "\n"}}`
		if r.direct {
			field = `{{join .Imports "\n"}}`
		}
		for _, dep := range list(t, r.pkg, field) {
			if i := slices.IndexFunc(r.never, func(n string) bool { return within(dep, n) }); i >= 0 {
				t.Errorf("%s links %s (rule %q): %s", r.pkg, dep, r.never[i], r.reason)
			}
		}
	}
}

// Whatever is not a command imports nothing outside the list: a new dependency is a decision, taken here.
func TestOutsideImports(t *testing.T) {
	allowed := map[string][]string{
		"lxcfs/kernelfs/...":   {"github.com/spf13/afero/...", "golang.org/x/sys/unix"},
		"lxcfs/core/...":       {"golang.org/x/sys/unix"},
		"lxcfs/fuse/...":       {"github.com/hanwen/go-fuse/...", "golang.org/x/sys/unix"},
		"lxcfs/fakekernel/...": {"github.com/spf13/afero/...", "golang.org/x/tools/txtar", "github.com/rogpeppe/go-internal/...", "golang.org/x/sys/unix"},
		"lxcfs/cmd/lxcfs":      {"github.com/spf13/pflag", "golang.org/x/sys/unix"},
	}
	for pkg, ok := range allowed {
		for _, dep := range list(t, pkg, `{{join .Imports "\n"}}`) {
			outside := strings.Contains(strings.SplitN(dep, "/", 2)[0], ".")
			if outside && !slices.ContainsFunc(ok, func(a string) bool { return within(dep, a) }) {
				t.Errorf("%s imports %s, which is not among %v", pkg, dep, ok)
			}
		}
	}
}

// within reports whether pkg matches pattern, a path or a path followed by "/...".
func within(pkg, pattern string) bool {
	tree, isTree := strings.CutSuffix(pattern, "/...")
	return pkg == tree || isTree && strings.HasPrefix(pkg, tree+"/")
}

// list returns the lines that go list prints for pkg.
func list(t *testing.T, pkg, format string) []string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-f", format, pkg).Output()
	if err != nil {
		t.Fatalf("go list %s: %v", pkg, err)
	}
	lines := strings.Fields(string(out))
	if len(lines) == 0 {
		t.Fatalf("go list %s: no packages", pkg)
	}
	return lines
}
