package main

import (
	_ "embed"
	"fmt"
	"strings"

	"github.com/spf13/pflag"
)

// lxcfs.8 is the manual page but for its flags, which go where the line "@flags@" stands.
//
//go:embed lxcfs.8
var manPage string

// manual returns lxcfs(8) in mdoc(7). The flags come from f, so the page cannot lack one.
func manual(f *pflag.FlagSet) string {
	var b strings.Builder
	eachFlag(f, func(flag *pflag.Flag, placeholder, usage string) {
		b.WriteString(".It ")
		if flag.Shorthand != "" {
			fmt.Fprintf(&b, "Fl %s , ", flag.Shorthand)
		}
		fmt.Fprintf(&b, "Fl -%s", strings.ReplaceAll(flag.Name, "-", `\-`))
		if placeholder != "" {
			fmt.Fprintf(&b, " Ar %s", placeholder)
		}
		fmt.Fprintf(&b, "\n%s.\n", mdocText(usage))
	})
	return strings.Replace(manPage, "@flags@\n", b.String(), 1)
}

// mdocText escapes what mdoc(7) would take for markup.
func mdocText(s string) string {
	s = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(s)
	if strings.HasPrefix(s, ".") || strings.HasPrefix(s, "'") {
		s = `\&` + s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
