package kernelfs

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"github.com/spf13/afero"
)

// hostFile returns a file whose text may be a second old, and what replaces its content.
func hostFile(t *testing.T) (f *HostFile, k *FS, replace func(text string)) {
	mem := afero.NewMemMapFs()
	k = New(mem)
	return &HostFile{File: k.File("/proc/stat"), ttl: time.Second}, k, func(text string) {
		t.Helper()
		if err := afero.WriteFile(mem, "/new", []byte(text), 0o444); err != nil {
			t.Fatal(err)
		}
		if err := mem.Rename("/new", "/proc/stat"); err != nil {
			t.Fatal(err)
		}
	}
}

func mustShare(t *testing.T, f *HostFile, s *Snapshot) []byte {
	t.Helper()
	text, err := f.Shared(s)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestSharedTextStaysForItsReaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, k, replace := hostFile(t)
		first, other := k.Snapshot(), k.Snapshot()
		replace("first")
		held := mustShare(t, f, first)
		for i := range 5 {
			text := fmt.Sprint("later ", i)
			replace(text)
			time.Sleep(time.Second + 1)
			if got := mustShare(t, f, other); string(got) != text {
				t.Errorf("%q, want %q", got, text)
			}
			other.Reset()
			if string(held) != "first" {
				t.Fatalf("the text of a pass that goes on became %q", held)
			}
		}
		if got := mustShare(t, f, first); string(got) != "first" {
			t.Errorf("the same pass reads %q the second time", got)
		}
	})
}

func TestSharedTextsMemoryServesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, k, replace := hostFile(t)
		s := k.Snapshot()
		used := map[*byte]bool{}
		for i := range 10 {
			replace(strings.Repeat("x", i))
			used[unsafe.SliceData(mustShare(t, f, s))] = true
			s.Reset()
			time.Sleep(time.Second + 1)
		}
		if len(used) != 2 {
			t.Errorf("%d buffers for 10 readings one after the other, want 2", len(used))
		}
	})
}

func TestSharedTextIsGivenBackAfterAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, k, replace := hostFile(t)
		s := k.Snapshot()
		for _, text := range []string{"one", "two"} {
			if _, err := f.Shared(s); !Missing(err) {
				t.Errorf("no file: %v", err)
			}
			s.Reset()
			replace(text)
			if got := mustShare(t, f, s); string(got) != text {
				t.Errorf("%q, want %q", got, text)
			}
			s.Reset()
			time.Sleep(time.Second + 1)
			if err := k.raw.Remove("/proc/stat"); err != nil {
				t.Fatal(err)
			}
		}
		for _, x := range []*hostText{f.text.Load(), f.spare} {
			if n := x.readers.Load(); n != 0 {
				t.Errorf("%d readers when none is left", n)
			}
		}
	})
}

// With the race detector this also shows that no text is written to while somebody reads it.
func TestSharedTextIsOfOneReading(t *testing.T) {
	f, k, replace := hostFile(t)
	f.ttl = 5 * time.Microsecond
	replace("a")
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			s := k.Snapshot()
			for range 10000 {
				text, err := f.Shared(s)
				if err != nil || bytes.Count(text, text[:1]) != len(text) {
					t.Errorf("%q, %v", text, err)
				}
				s.Reset()
			}
		})
	}
	for i := range 100 {
		replace(strings.Repeat(string(rune('a'+i%26)), 1+i))
	}
	wg.Wait()
}
