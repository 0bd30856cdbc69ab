package bench

import (
	"fmt"
	"slices"
)

// Form is one way of reading a file.
type Form uint32

// The forms. The first six are what programs do, the others are abuse.
const (
	ORC     Form = iota // open, one read of 128 kB, close
	ReadAll             // open, read up to the empty read, close
	Cat                 // open, fstat, read up to the empty read, close: cat, and most libraries
	Pread               // pread at offset 0 of a descriptor kept open: top, agents
	Open                // open, close
	Byte                // open, reads of one byte up to the end, close
	Leave               // open, and leave it open
	Spin                // no file at all: burn CPU
)

var formNames = []string{"orc", "readall", "cat", "pread", "open", "byte", "leave", "spin"}

func (f Form) String() string { return formNames[f] }

// MarshalText writes the form's name.
func (f Form) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

// UnmarshalText reads a form's name.
func (f *Form) UnmarshalText(text []byte) error {
	i := slices.Index(formNames, string(text))
	if i < 0 {
		return fmt.Errorf("form %q: not one of %v", text, formNames)
	}
	*f = Form(i)
	return nil
}

// Placement says on which CPUs the daemon and the readers run.
type Placement string

// The placements. A wake-up across CPUs costs an interrupt, on a virtual machine
// a costly one: only Pinned shows the pure cost of an operation.
const (
	Pinned Placement = "pinned" // daemon and readers on one CPU
	Cross  Placement = "cross"  // daemon on one CPU, readers on another
	Free   Placement = "free"   // wherever the scheduler puts them
)
