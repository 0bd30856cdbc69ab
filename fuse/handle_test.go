package fuse

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"lxcfs/core"
	"lxcfs/fuse/conn"

	"github.com/google/go-cmp/cmp"
	wire "github.com/hanwen/go-fuse/v2/fuse"
)

func testState(t testing.TB) *conn.State {
	t.Helper()
	s, err := conn.NewState(0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func testTree(t testing.TB) *tree {
	return newTree(testSource(), 1, testState(t), slog.New(slog.DiscardHandler))
}

// request makes the bytes the kernel would send: a header, a struct that begins with a header, and what follows.
func request[T any](op uint32, id uint64, pid uint32, v T, tail string) []byte {
	b := append(bytes.Clone(body(&v)), tail...)
	h := (*wire.InHeader)(unsafe.Pointer(&b[0]))
	*h = wire.InHeader{Length: uint32(len(b)), Opcode: op, Unique: 42, NodeId: id, Caller: wire.Caller{Pid: pid}}
	return b
}

// reply splits a reply into its error number and its body, after checking its header.
func reply(t testing.TB, out []byte) (syscall.Errno, []byte) {
	t.Helper()
	if len(out) == 0 {
		return 0, nil
	}
	h, ok := as[wire.OutHeader](out)
	if !ok || int(h.Length) != len(out) || h.Unique != 42 {
		t.Fatalf("reply of %d bytes with header %+v", len(out), h)
	}
	if h.Status != 0 && len(out) != outHeaderSize {
		t.Fatalf("error reply with %d bytes", len(out))
	}
	return syscall.Errno(-h.Status), out[outHeaderSize:]
}

// handlers are the two ways to answer. They must not differ.
func handlers(t *testing.T, test func(t *testing.T, tr *tree, h conn.Handle)) {
	t.Run("own", func(t *testing.T) { tr := testTree(t); test(t, tr, tr.handle) })
	t.Run("go-fuse", func(t *testing.T) { tr := testTree(t); test(t, tr, protocolHandle(tr)) })
}

func TestHandleErrors(t *testing.T) {
	dir, file, cpu := idOf("proc"), idOf("proc/meminfo"), idOf("sys/devices/system/cpu/cpu1")
	none := wire.InHeader{}
	for _, test := range []struct {
		reason string
		in     []byte
		want   syscall.Errno
	}{
		{"a served file", request(opLookup, dir, 1, none, "meminfo\x00"), 0},
		{"no such file", request(opLookup, dir, 1, none, "nothing\x00"), syscall.ENOENT},
		{"a CPU the caller sees", request(opLookup, idOf(cpuDir), 1, none, "cpu1\x00"), 0},
		{"a CPU hidden from the caller", request(opLookup, idOf(cpuDir), blindPID, none, "cpu1\x00"), syscall.ENOENT},
		{"attributes in a hidden CPU, id known", request(opGetattr, cpu, blindPID, wire.GetAttrIn{}, ""), syscall.ENOENT},
		{"a listing of a hidden CPU", request(opOpendir, cpu, blindPID, wire.OpenIn{}, ""), syscall.ENOENT},
		{"a listing of a visible CPU", request(opOpendir, cpu, 1, wire.OpenIn{}, ""), 0},
		{"a node that never was", request(opGetattr, 12345, 1, wire.GetAttrIn{}, ""), syscall.ESTALE},
		{"chmod of a file", request(opSetattr, file, 1, setattr(wire.FATTR_MODE), ""), syscall.EPERM},
		{"chown of the root, as in LXCFS", request(opSetattr, rootID, 1, setattr(wire.FATTR_UID), ""), syscall.ENOENT},
		{"truncate below /proc", request(opSetattr, file, 1, setattr(wire.FATTR_SIZE), ""), syscall.EPERM},
		{"truncate below /sys does nothing", request(opSetattr, idOf(cpuDir+"/online"), 1, setattr(wire.FATTR_SIZE), ""), 0},
		{"utimens", request(opSetattr, file, 1, setattr(wire.FATTR_MTIME), ""), syscall.ENOSYS},
		{"write of what cannot be written", request(opWrite, file, 1, wire.WriteIn{Size: 1}, "x"), syscall.EINVAL},
		{"write below /sys", request(opWrite, idOf(cpuDir+"/online"), 1, wire.WriteIn{Size: 1}, "x"), syscall.EACCES},
		{"mkdir", request(9, dir, 1, wire.MkdirIn{}, "x\x00"), syscall.EPERM},
		{"rmdir", request(11, dir, 1, none, "pressure\x00"), syscall.EPERM},
		{"unlink", request(10, dir, 1, none, "meminfo\x00"), syscall.ENOSYS},
		{"rename", request(12, dir, 1, none, "\x01\x00\x00\x00\x00\x00\x00\x00a\x00b\x00"), syscall.ENOSYS},
		{"getxattr", request(22, file, 1, wire.GetXAttrIn{}, "security.selinux\x00"), syscall.ENOSYS},
		{"flush, so that it is not asked again", request(opFlush, file, 1, wire.FlushIn{}, ""), syscall.ENOSYS},
		{"an opcode of the future", request(99, file, 1, none, ""), syscall.ENOSYS},
		{"readlink of no link", request(opReadlink, file, 1, none, ""), syscall.EINVAL},
		{"statfs", request(opStatfs, rootID, 1, none, ""), 0},
		{"poll without triggers, so that it is not asked again", request(opPoll, file, 1, pollIn{}, ""), syscall.ENOSYS},
	} {
		handlers(t, func(t *testing.T, tr *tree, h conn.Handle) {
			if no, _ := reply(t, h(test.in, nil)); no != test.want {
				t.Errorf("%s: %v, want %v", test.reason, no, test.want)
			}
		})
	}
}

func setattr(valid uint32) wire.SetAttrIn {
	return wire.SetAttrIn{SetAttrInCommon: wire.SetAttrInCommon{Valid: valid}}
}

func TestForgetHasNoReply(t *testing.T) {
	handlers(t, func(t *testing.T, tr *tree, h conn.Handle) {
		for _, in := range [][]byte{
			request(opForget, rootID, 1, wire.ForgetIn{}, "\x01\x00\x00\x00\x00\x00\x00\x00"),
			request(opBatchForget, 0, 1, wire.InHeader{}, "\x00\x00\x00\x00\x00\x00\x00\x00"),
		} {
			if out := h(in, nil); len(out) != 0 {
				t.Errorf("forget is answered with %d bytes", len(out))
			}
		}
	})
}

func TestLookupAnswersAttributes(t *testing.T) {
	handlers(t, func(t *testing.T, tr *tree, h conn.Handle) {
		for _, test := range []struct {
			reason       string
			parent, name string
			entry, attr  uint64
			mode, nlink  uint32
		}{
			{"a file's attributes never change", "proc", "meminfo", 3600, 3600, syscall.S_IFREG | 0o444, 1},
			{"a directory has two links", "", "proc", 3600, 3600, syscall.S_IFDIR | 0o555, 2},
			{"a CPU's directory depends on who asks", cpuDir, "cpu1", 3600, 0, syscall.S_IFDIR | 0o555, 2},
			{"the host's own files there come and go", cpuDir, "online", 1, 1, syscall.S_IFREG | 0o444, 1},
			{"what is in it too", cpuDir + "/cpu1/cache", "lvl", 3600, 0, syscall.S_IFREG | 0o444, 1},
		} {
			no, b := reply(t, h(request(opLookup, idOf(test.parent), 1, wire.InHeader{}, test.name+"\x00"), nil))
			e, ok := as[wire.EntryOut](b)
			if no != 0 || !ok {
				t.Errorf("%s: %v, %d bytes", test.reason, no, len(b))
				continue
			}
			id := idOf(strings.TrimPrefix(test.parent+"/"+test.name, "/"))
			want := wire.EntryOut{NodeId: id, EntryValid: test.entry, AttrValid: test.attr, Attr: wire.Attr{
				Ino: inode(id), Mode: test.mode, Nlink: test.nlink, Blksize: 4096}}
			got := *e
			got.Atime, got.Mtime, got.Ctime, got.Atimensec, got.Mtimensec, got.Ctimensec = 0, 0, 0, 0, 0, 0
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("%s: (-want +got)\n%s", test.reason, d)
			}
		}
	})
}

func TestOpenIsDirect(t *testing.T) {
	handlers(t, func(t *testing.T, tr *tree, h conn.Handle) {
		no, b := reply(t, h(request(opOpen, idOf("proc/stat"), 1, wire.OpenIn{}, ""), nil))
		o, ok := as[wire.OpenOut](b)
		if no != 0 || !ok || o.OpenFlags != wire.FOPEN_DIRECT_IO|wire.FOPEN_NOFLUSH {
			t.Errorf("open: %v, %+v, want direct I/O and no flush", no, o)
		}
	})
}

func readIn(fh, offset uint64, size int) wire.ReadIn {
	return wire.ReadIn{Fh: fh, Offset: offset, Size: uint32(size)}
}

func TestReaddir(t *testing.T) {
	handlers(t, func(t *testing.T, tr *tree, h conn.Handle) {
		var names []string
		_, b := reply(t, h(request(opOpendir, idOf("proc"), 1, wire.OpenIn{}, ""), nil))
		o, _ := as[wire.OpenOut](b)
		for offset := uint64(0); ; {
			no, b := reply(t, h(request(opReaddir, idOf("proc"), 1, readIn(o.Fh, offset, 4096), ""), nil))
			entries, err := wire.ParseDirEntries(b)
			if no != 0 || err != nil {
				t.Fatal(no, err)
			}
			if len(entries) == 0 {
				break
			}
			for _, e := range entries {
				names, offset = append(names, e.Name), e.Off
			}
			if len(names) > 20 {
				break
			}
		}
		want := []string{".", "..", "meminfo", "stat", "panic", "slow", "fatal", "pressure"}
		if d := cmp.Diff(want, names); d != "" {
			t.Errorf("listing (-want +got)\n%s", d)
		}
	})
}

func TestReaddirInSmallPieces(t *testing.T) {
	tr := testTree(t)
	fh := tr.files.open()
	var names []string
	for offset := uint64(0); ; {
		no, b := reply(t, tr.handle(request(opReaddir, idOf("proc"), 1, readIn(fh, offset, 64), ""), nil))
		entries, err := wire.ParseDirEntries(b)
		if no != 0 || err != nil {
			t.Fatal(no, err)
		}
		if len(entries) == 0 {
			break
		}
		for _, e := range entries {
			names, offset = append(names, e.Name), e.Off
		}
	}
	if want := ". .. meminfo stat panic slow fatal pressure"; strings.Join(names, " ") != want {
		t.Errorf("listing %q, want %q", names, want)
	}
}

func TestPanicGoesOn(t *testing.T) {
	handlers(t, func(t *testing.T, tr *tree, h conn.Handle) {
		defer func() {
			if p := recover(); p != "asked for" {
				t.Errorf("recovered %v", p)
			}
		}()
		h(request(opRead, idOf("proc/panic"), 1, readIn(0, 0, 100), ""), nil)
		t.Error("the panic was swallowed: the connection is to count it")
	})
}

func TestOffButListing(t *testing.T) {
	tr := testTree(t)
	tr.src.virtualized = func() bool { return false }
	for _, test := range []struct {
		reason string
		in     []byte
		want   syscall.Errno
	}{
		{"/sys has no content", request(opRead, idOf(cpuDir+"/online"), 1, readIn(0, 0, 100), ""), syscall.EIO},
		{"/proc has", request(opRead, idOf("proc/stat"), 1, readIn(0, 0, 100), ""), 0},
		{"listings work", request(opReaddir, idOf(cpuDir), 1, readIn(0, 0, 1000), ""), 0},
		{"so do attributes", request(opGetattr, idOf(cpuDir+"/online"), 1, wire.GetAttrIn{}, ""), 0},
	} {
		if no, _ := reply(t, tr.handle(test.in, nil)); no != test.want {
			t.Errorf("%s: %v, want %v", test.reason, no, test.want)
		}
	}
}

func TestCallerIsTheReader(t *testing.T) {
	tr := testTree(t)
	tr.src.read = func(who core.Caller, _ string, dst []byte) ([]byte, error) {
		return fmt.Appendf(dst, "%d", who.PID), nil
	}
	for _, pid := range []uint32{7, 9} {
		_, b := reply(t, tr.handle(request(opRead, idOf("proc/stat"), pid, readIn(0, 0, 100), ""), nil))
		if string(b) != fmt.Sprint(pid) {
			t.Errorf("read by %d is answered for %s", pid, b)
		}
	}
}

func TestHandleDoesNotAllocate(t *testing.T) {
	tr := testTree(t)
	out := make([]byte, 0, 16<<10)
	open := request(opOpen, idOf("proc/meminfo"), 1, wire.OpenIn{}, "")
	read := request(opRead, idOf("proc/meminfo"), 1, wire.ReadIn{Size: 4096}, "")
	release := request(opRelease, idOf("proc/meminfo"), 1, wire.ReleaseIn{}, "")
	round := func() {
		out = tr.handle(open, out)
		fh := *(*uint64)(unsafe.Pointer(&out[outHeaderSize]))
		(*wire.ReadIn)(unsafe.Pointer(&read[0])).Fh = fh
		(*wire.ReleaseIn)(unsafe.Pointer(&release[0])).Fh = fh
		out = tr.handle(read, out)
		out = tr.handle(release, out)
	}
	round()
	if n := testing.AllocsPerRun(100, round); n != 0 {
		t.Errorf("open, read and release allocate %v times, want 0", n)
	}
}

// FuzzRequest feeds the handler what the kernel would never send. It must answer, or keep silent, and not crash.
func FuzzRequest(f *testing.F) {
	f.Add(request(opLookup, rootID, 1, wire.InHeader{}, "proc\x00"))
	f.Add(request(opRead, idOf("proc/stat"), 1, readIn(0, 3, 100), ""))
	f.Add(request(opWrite, idOf("proc/stat"), 1, wire.WriteIn{Size: 1 << 31}, "x"))
	f.Add(request(opReaddir, rootID, 1, readIn(1, 24, 100), ""))
	f.Add(request(opSetattr, rootID, 1, setattr(8), ""))
	tr := testTree(f)
	f.Fuzz(func(t *testing.T, in []byte) {
		in = bytes.Clone(in)
		if len(in) >= 64 {
			(*wire.InHeader)(unsafe.Pointer(&in[0])).Unique = 42
		}
		defer func() {
			if p := recover(); p != nil && p != "asked for" {
				panic(p)
			}
		}()
		if out := tr.handle(in, nil); len(out) > 0 && len(in) >= 64 {
			reply(t, out)
		}
	})
}
