package core_test

import (
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"lxcfs/cmd/subject"
	"lxcfs/fakekernel"
)

// TestScenarios runs testdata/script on fake kernels.
func TestScenarios(t *testing.T) {
	fakekernel.Run(t, testscript.Params{
		Dir:                "../testdata/script",
		RequireUniqueNames: true,
	}, subject.New)
}
