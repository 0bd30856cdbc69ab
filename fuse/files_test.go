package fuse

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"syscall"
	"testing"

	"lxcfs/core"

	wire "github.com/hanwen/go-fuse/v2/fuse"
)

// counting serves a content that says how often it was rendered, padded with lines of its number.
func counting(t *testing.T, size int) (*tree, *int) {
	tr := testTree(t)
	n := new(int)
	tr.src.read = func(_ core.Caller, _ string, dst []byte) ([]byte, error) {
		*n++
		return append(dst, bytes.Repeat(fmt.Appendf(nil, "%d", *n%10), size)...), nil
	}
	return tr, n
}

func readAt(t *testing.T, tr *tree, fh, offset uint64, size int) string {
	t.Helper()
	no, b := reply(t, tr.handle(request(opRead, idOf("proc/stat"), 1, readIn(fh, offset, size), ""), nil))
	if no != 0 {
		t.Fatalf("read at %d: %v", offset, no)
	}
	return string(b)
}

func TestReadOneRendering(t *testing.T) {
	for _, test := range []struct {
		reason  string
		offsets []uint64
		size    int
		want    string
	}{
		{"whole, then end of file from what was delivered", []uint64{0, 10}, 100, "1111111111|"},
		{"pieces of one rendering", []uint64{0, 4, 8, 10}, 4, "1111|1111|11|"},
		{"offset 0 renders afresh", []uint64{0, 0, 4}, 4, "1111|2222|2222"},
		{"a place never read up to", []uint64{6}, 100, "1111"},
		{"beyond the end is end of file, not EINVAL", []uint64{50}, 100, ""},
		{"back into what was delivered", []uint64{0, 3}, 100, "1111111111|2222222"},
		{"nothing asked for", []uint64{0}, 0, ""},
	} {
		tr, _ := counting(t, 10)
		fh := tr.files.open()
		var got []string
		for _, offset := range test.offsets {
			got = append(got, readAt(t, tr, fh, offset, test.size))
		}
		if s := strings.Join(got, "|"); s != test.want {
			t.Errorf("%s: %q, want %q", test.reason, s, test.want)
		}
	}
}

func TestDeliveredFileKeepsNothing(t *testing.T) {
	tr, _ := counting(t, 10)
	fh := tr.files.open()
	readAt(t, tr, fh, 0, 4)
	if tr.files.bytes != 10 {
		t.Errorf("%d bytes kept for a reader half way, want 10", tr.files.bytes)
	}
	readAt(t, tr, fh, 4, 100)
	if tr.files.bytes != 0 || tr.files.lru.Len() != 0 {
		t.Errorf("%d bytes kept for a reader that has got all", tr.files.bytes)
	}
}

func TestReleaseForgets(t *testing.T) {
	tr, _ := counting(t, 10)
	fh := tr.files.open()
	readAt(t, tr, fh, 0, 4)
	tr.handle(request(opRelease, idOf("proc/stat"), 1, wire.ReleaseIn{Fh: fh}, ""), nil)
	if tr.files.bytes != 0 {
		t.Errorf("%d bytes kept for a closed file", tr.files.bytes)
	}
	if again := tr.files.open(); again != fh {
		t.Errorf("handle %#x, want the free %#x", again, fh)
	}
}

// A container that leaves 200,000 files half read costs a bounded number of bytes, and its readers still get an end.
func TestHalfReadFilesAreBounded(t *testing.T) {
	tr, renders := counting(t, 5000)
	const n = 200_000
	handles := make([]uint64, n)
	for i := range handles {
		handles[i] = tr.files.open()
		readAt(t, tr, handles[i], 0, 1)
	}
	if tr.files.bytes > maxKeptBytes || tr.files.lru.Len() > maxKept {
		t.Errorf("%d bytes for %d files kept, want at most %d for %d", tr.files.bytes, tr.files.lru.Len(), maxKeptBytes, maxKept)
	}
	before := *renders
	if rest := readAt(t, tr, handles[0], 1, 1<<17); len(rest) != 4999 || *renders != before+1 {
		t.Errorf("the rest of a dropped rendering has %d bytes after %d renderings, want 4999 after 1", len(rest), *renders-before)
	}
	before = *renders
	if rest := readAt(t, tr, handles[n-1], 1, 1<<17); len(rest) != 4999 || *renders != before {
		t.Errorf("the rest of a kept rendering has %d bytes after %d renderings, want 4999 after 0", len(rest), *renders-before)
	}
}

func TestHandleOfAPredecessor(t *testing.T) {
	state := testState(t)
	old := newTree(testSource(), 1, state, testTree(t).log)
	fh, half := old.files.open(), old.files.open()
	whole := readAt(t, old, fh, 0, 100)
	readAt(t, old, half, 0, 3)
	now := newTree(testSource(), 2, state, old.log)
	now.src.read = func(_ core.Caller, _ string, dst []byte) ([]byte, error) {
		return append(dst, "cpu 1 2000 longer\n"...), nil
	}
	if got := readAt(t, now, fh, uint64(len(whole)), 100); got != "" {
		t.Errorf("a file read to its end before the restart goes on with %q, want end of file", got)
	}
	if got := readAt(t, now, half, 4, 100); got != "1 2000 longer\n" {
		t.Errorf("a file half read before the restart goes on with %q", got)
	}
	mine := now.files.open()
	if mine == fh {
		t.Errorf("handle %#x was the predecessor's too", mine)
	}
	readAt(t, now, mine, 0, 3)
	if got := readAt(t, now, fh, 0, 100); got != "cpu 1 2000 longer\n" {
		t.Errorf("offset 0 on the old handle reads %q", got)
	}
}

func TestReadError(t *testing.T) {
	tr := testTree(t)
	for _, test := range []struct {
		reason string
		err    error
		want   syscall.Errno
	}{
		{"the kernel's own number, wrapped", fmt.Errorf("cgroup /x: %w", syscall.ENOMEM), syscall.ENOMEM},
		{"anything else", io.ErrUnexpectedEOF, syscall.EIO},
	} {
		tr.src.read = func(core.Caller, string, []byte) ([]byte, error) { return nil, test.err }
		if no, _ := reply(t, tr.handle(request(opRead, idOf("proc/stat"), 1, readIn(0, 0, 10), ""), nil)); no != test.want {
			t.Errorf("%s: %v, want %v", test.reason, no, test.want)
		}
	}
}
