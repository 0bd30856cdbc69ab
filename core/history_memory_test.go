package core_test

import (
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"lxcfs/core"
	"lxcfs/fakekernel"
	"lxcfs/kernelfs"
)

// A History of 4096 containers on a 512-CPU host is 270 MB of address space, and must not become memory
// before containers ask.
func TestHistoryTakesMemoryAsAsked(t *testing.T) {
	k, err := fakekernel.New(fakekernel.Config{CPUs: 512})
	if err != nil {
		t.Fatal(err)
	}
	state, err := unix.Mmap(-1, 0, core.StateSize(4096, 512), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Munmap(state) })
	// A huge page would count as touched as a whole.
	if err := unix.Madvise(state, unix.MADV_NOHUGEPAGE); err != nil && err != unix.EINVAL {
		t.Fatal(err)
	}
	if _, err := core.New(kernelfs.New(k), core.Options{State: state}); err != nil {
		t.Fatal(err)
	}
	page := unix.Getpagesize()
	resident := make([]byte, (len(state)+page-1)/page)
	if _, _, e := unix.Syscall(unix.SYS_MINCORE, uintptr(unsafe.Pointer(&state[0])), uintptr(len(state)), uintptr(unsafe.Pointer(&resident[0]))); e != 0 {
		t.Fatal(e)
	}
	n := 0
	for _, r := range resident {
		n += int(r & 1)
	}
	if n > 16 {
		t.Errorf("core.New touched %d of %d pages of its state, want 16 at most", n, len(resident))
	}
}
