// Package version knows which build of the program is running.
package version

import (
	"cmp"
	"runtime/debug"
)

// stamp is what git describe said at build time; the Makefile sets it with -ldflags -X.
var stamp string

// String returns the version the Makefile stamped, else the one the Go tool recorded for the main module, else "devel".
func String() string {
	if stamp != "" {
		return stamp
	}
	build, ok := debug.ReadBuildInfo()
	if !ok {
		return "devel"
	}
	if v := build.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	var revision, dirty string
	for _, s := range build.Settings {
		switch {
		case s.Key == "vcs.revision":
			revision = s.Value[:min(12, len(s.Value))]
		case s.Key == "vcs.modified" && s.Value == "true":
			dirty = "-dirty"
		}
	}
	return cmp.Or(revision, "devel") + dirty
}
