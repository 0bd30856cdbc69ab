//go:build nojournal

package conn

const (
	byJournal = false
	byResend  = true
)
