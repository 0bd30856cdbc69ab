//go:build norecovery

package conn

const (
	byJournal = false
	byResend  = false
)
