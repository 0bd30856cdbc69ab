package kernelfs

import (
	"encoding/binary"
	"errors"
	"slices"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// message is a generic netlink message of the given type and attributes.
func message(kind uint16, seq uint32, attributes ...[]byte) []byte {
	b := binary.NativeEndian.AppendUint32(nil, 0)
	b = binary.NativeEndian.AppendUint16(b, kind)
	b = append(b, 0, 0)
	b = binary.NativeEndian.AppendUint32(b, seq)
	b = append(b, 0, 0, 0, 0, 5, 1, 0, 0)
	return append(b, slices.Concat(attributes...)...)
}

func attribute(kind uint16, size int, value string) []byte {
	b := binary.NativeEndian.AppendUint16(nil, uint16(size))
	return append(binary.NativeEndian.AppendUint16(b, kind), value...)
}

func TestParseNetlink(t *testing.T) {
	refused := message(unix.NLMSG_ERROR, 7)[:unix.SizeofNlMsghdr]
	refused = binary.NativeEndian.AppendUint32(refused, 0xffffffff-uint32(syscall.EINVAL)+1)
	for _, tc := range []struct {
		reason string
		in     []byte
		want   string
		ok     bool
		err    error
	}{
		{"the attribute after one that is padded", message(30, 7, attribute(2, 9, "TASKS\x00\x00\x00"), attribute(1, 6, "ab")), "ab", true, nil},
		{"the attribute after one that needs no padding", message(30, 7, attribute(2, 8, "TASK"), attribute(1, 6, "ab")), "ab", true, nil},
		{"the answer to another request", message(30, 6, attribute(1, 6, "ab")), "", false, nil},
		{"an error", refused, "", true, syscall.EINVAL},
		{"no such attribute", message(30, 7, attribute(2, 6, "ab\x00\x00")), "", true, errShort},
		{"an attribute longer than the message", message(30, 7, attribute(1, 7, "ab")), "", true, errFormat},
		{"an attribute shorter than its header", message(30, 7, attribute(1, 3, "ab")), "", true, errFormat},
		{"an attribute without a value", message(30, 7, attribute(1, 4, "")), "", true, nil},
		{"shorter than its headers", message(30, 7)[:19], "", true, errShort},
		{"nothing", nil, "", true, errShort},
	} {
		got, ok, err := parseNetlink(tc.in, 7, 1)
		if string(got) != tc.want || ok != tc.ok || !errors.Is(err, tc.err) {
			t.Errorf("%s: %q, %v, %v, want %q, %v, %v", tc.reason, got, ok, err, tc.want, tc.ok, tc.err)
		}
	}
}

// TestAsk asks for the one family whose number is fixed, GENL_ID_CTRL: its own controller's.
func TestAsk(t *testing.T) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_GENERIC)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	c := cgroupstats{socket: fd}
	for range 2 {
		id, err := c.ask(genlCtrl, ctrlGetFamily, ctrlFamilyName, []byte("nlctrl\x00"), ctrlFamilyID)
		if err != nil || len(id) != 2 || binary.NativeEndian.Uint16(id) != genlCtrl {
			t.Errorf("the family of nlctrl is %v, %v, want %d", id, err, genlCtrl)
		}
	}
	if _, err := c.ask(genlCtrl, ctrlGetFamily, ctrlFamilyName, []byte("NONESUCH\x00"), ctrlFamilyID); !errors.Is(err, syscall.ENOENT) {
		t.Errorf("a family that is not there: %v, want ENOENT", err)
	}
}

// TestStatesOfTheKernel: the number of the family is asked for once, and the kernel finds the directory among the
// attributes: it counts the threads of a v1 cgroup's, and refuses any other.
func TestStatesOfTheKernel(t *testing.T) {
	if n := (states{1, 20, 300, 4000, 50000}).sum(); n != 54321 {
		t.Errorf("the sum of all states is %d, want 54321", n)
	}
	k := machine(t)
	c := &k.host.stats
	err := c.open()
	if errors.Is(err, syscall.ENOENT) {
		t.Skip("a kernel without TASKSTATS")
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(c.socket) })
	socket, seq := c.socket, c.seq
	if err := c.open(); err != nil || c.socket != socket || c.seq != seq || c.family <= genlCtrl {
		t.Errorf("opened again: %v, socket %d after %d, request %d after %d, family %d", err, c.socket, socket, c.seq, seq, c.family)
	}
	if n, err := c.states(open(t, t.TempDir())); !errors.Is(err, syscall.EINVAL) {
		t.Errorf("states in what is no cgroup: %v, %v, want EINVAL", n, err)
	}
	if err := k.Detect(); err != nil {
		t.Skipf("no cgroups here: %v", err)
	}
	h := k.Hierarchy(CPU)
	if h == nil || h.Version != 1 {
		t.Skip("no v1 cgroup here")
	}
	if n, err := c.states(open(t, h.Mount)); err != nil || n.sum() == 0 || n[sleeping] == 0 {
		t.Errorf("states in %s: %v, %v, want threads that sleep among them", h.Mount, n, err)
	}
	for _, tc := range []struct {
		reason  string
		version int
		dir     string
		n       int
		want    bool
	}{
		{"counted by the kernel", 1, h.Mount, 1, true},
		{"some are in another state", 1, h.Mount, 1 << 30, false},
		{"v2 has no such count", 2, h.Mount, 1, false},
		{"no cgroup", 1, t.TempDir(), 1, false},
		{"removed", 1, h.Mount + "/nonesuch", 1, false},
	} {
		var n Threads
		if got := k.Snapshot().statesOf(&Hierarchy{Version: tc.version}, tc.dir, tc.n, &n); got != tc.want || !got && n != (Threads{}) {
			t.Errorf("%s: statesOf = %v, %+v, want %v", tc.reason, got, n, tc.want)
		}
	}
}

// open returns a descriptor on a directory.
func open(t *testing.T, dir string) int {
	t.Helper()
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	return fd
}

// FuzzNetlink: whatever the socket holds, the answer lies within it, and no length leads on for ever.
func FuzzNetlink(f *testing.F) {
	f.Add(message(30, 7, attribute(2, 9, "TASKS\x00\x00\x00"), attribute(1, 6, "ab")))
	f.Add(message(30, 7, attribute(1, 3, "ab")))
	f.Add(message(30, 7, attribute(2, 0xffff, "")))
	f.Add(message(unix.NLMSG_ERROR, 7))
	f.Fuzz(func(t *testing.T, in []byte) {
		value, ok, err := parseNetlink(in, 7, 1)
		if len(value) > len(in) || value != nil && (!ok || err != nil) {
			t.Errorf("parseNetlink(%q) = %q, %v, %v", in, value, ok, err)
		}
	})
}
