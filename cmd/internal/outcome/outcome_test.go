package outcome

import (
	"errors"
	"io/fs"
	"path/filepath"
	"testing"
)

func TestOutcome(t *testing.T) {
	pidfile := filepath.Join(t.TempDir(), "lxcfs.pid")
	if _, err := Read(pidfile); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Read before anything was written: %v, want ErrNotExist", err)
	}
	if err := Remove(pidfile); err != nil {
		t.Errorf("Remove of nothing: %v", err)
	}
	if err := Write(pidfile, "v2", nil); err != nil {
		t.Fatal(err)
	}
	if v, err := Read(pidfile); v != "v2" || err != nil {
		t.Errorf("Read = %q, %v, want v2", v, err)
	}
	if err := Write(pidfile, "v2", errors.New("worker refuses: no /proc")); err != nil {
		t.Fatal(err)
	}
	if v, err := Read(pidfile); v != "" || err == nil || err.Error() != "worker refuses: no /proc" {
		t.Errorf("Read = %q, %v, want the refusal", v, err)
	}
	if err := Remove(pidfile); err != nil {
		t.Error(err)
	}
	if _, err := Read(pidfile); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Read after Remove: %v, want ErrNotExist", err)
	}
}
