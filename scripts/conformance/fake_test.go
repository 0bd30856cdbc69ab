package conformance

import (
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"lxcfs/cmd/subject"
	"lxcfs/fakekernel"
)

// TestScenariosOnTheFake runs what is to be held against real kernels where there is none to hold it against: every scenario can
// be lived through by the fake, under every layout it is for.
func TestScenariosOnTheFake(t *testing.T) {
	fakekernel.Run(t, testscript.Params{
		Dir:                "../../testdata/conformance",
		RequireUniqueNames: true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("disk", "sda")
			return nil
		},
	}, subject.New)
}
