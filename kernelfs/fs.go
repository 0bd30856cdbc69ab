package kernelfs

import "github.com/spf13/afero"

// FS is a host's kernel files, real or fake.
type FS struct {
	fs afero.Fs
}

// New returns the kernel files found in fs, whose root is the host's "/".
func New(fs afero.Fs) *FS { return &FS{fs: afero.NewReadOnlyFs(fs)} }

// Host returns the kernel files of the machine this process runs on.
func Host() *FS { return New(afero.NewOsFs()) }
