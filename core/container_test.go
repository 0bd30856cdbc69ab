package core

import (
	"maps"
	"slices"
	"testing"

	"lxcfs/kernelfs"

	"github.com/google/go-cmp/cmp"
)

// TestRelease: one reference given up is one.
func TestRelease(t *testing.T) {
	c := &container{}
	c.refs.Store(3)
	c.release()
	if n := c.refs.Load(); n != 2 {
		t.Errorf("after one of 3 references is released there are %d", n)
	}
}

// TestEvict follows the hand of the clock: who was not asked since it last passed goes first.
func TestEvict(t *testing.T) {
	var k known
	k.init(3, (&kernelfs.FS{}).Died, func(*container) {})
	add := func(key uint64) { k.add(&container{key: key}) }
	have := func(want ...uint64) {
		t.Helper()
		if diff := cmp.Diff(want, slices.Sorted(maps.Keys(k.byKey))); diff != "" {
			t.Fatalf("remembered (-want +got):\n%s", diff)
		}
		if len(k.ring) != len(want) {
			t.Fatalf("%d in the ring, want %d", len(k.ring), len(want))
		}
	}
	add(1)
	add(2)
	add(3)
	have(1, 2, 3)
	add(4) // all were used: the hand goes once around, from the second on
	have(1, 3, 4)
	k.byKey[1].use()
	add(5)
	have(1, 4, 5)
	add(6)
	have(4, 5, 6) // 1 was not used since
}

// TestRemoveOther: a container that was replaced in the meantime does not take its successor along.
func TestRemoveOther(t *testing.T) {
	var k known
	k.init(3, (&kernelfs.FS{}).Died, func(*container) {})
	c := k.add(&container{key: 7})
	k.forget(&container{key: 7})
	if k.byKey[7] != c || len(k.ring) != 1 {
		t.Error("a container was forgotten for another one with its key")
	}
	k.forget(c)
	if len(k.byKey) != 0 || len(k.ring) != 0 {
		t.Error("a container that is forgotten is still there")
	}
}
