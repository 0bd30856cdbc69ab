// Package outcome is how the daemon says what became of an upgrade that it was asked for by a signal: in a file beside its
// pidfile, which "lxcfsctl upgrade" waits for.
package outcome

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// The first word of the file. The version follows, or the error.
const (
	serves  = "serves"
	refused = "refused"
)

func file(pidfile string) string { return pidfile + ".upgrade" }

// Write leaves the outcome: the version that serves now, or why it still is the old one.
func Write(pidfile, version string, failure error) error {
	text := serves + " " + version
	if failure != nil {
		text = refused + " " + failure.Error()
	}
	// Whole or not at all: somebody waits for the name to appear.
	part := file(pidfile) + ".part"
	if err := os.WriteFile(part, []byte(text+"\n"), 0o644); err != nil {
		return fmt.Errorf("outcome of the upgrade: %w", err)
	}
	return os.Rename(part, file(pidfile))
}

// Read returns the version that serves, or the error with which the upgrade ended: fs.ErrNotExist while there is none.
func Read(pidfile string) (version string, err error) {
	text, err := os.ReadFile(file(pidfile))
	if err != nil {
		return "", err
	}
	verdict, rest, _ := strings.Cut(strings.TrimSpace(string(text)), " ")
	if verdict != serves {
		return "", errors.New(rest)
	}
	return rest, nil
}

// Remove takes away what a former upgrade left.
func Remove(pidfile string) error {
	if err := os.Remove(file(pidfile)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
