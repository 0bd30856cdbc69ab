#!/bin/sh
# cover.sh PROFILE MINIMUM PACKAGE...: prints the statement coverage of each package, and fails if one is below MINIMUM per cent.
#
# A block occurs in PROFILE once for each test binary that could have run it; it counts as covered if any did.
set -eu

profile=$1 minimum=$2
shift 2
awk -v minimum="$minimum" -v packages="$*" '
	NR > 1 { statements[$1] = $2; if ($3 > 0) covered[$1] = 1 }
	END {
		for (block in statements) {
			dir = block
			sub(/\/[^\/]*$/, "", dir)
			all[dir] += statements[block]
			if (block in covered) hit[dir] += statements[block]
		}
		n = split(packages, wanted, " ")
		for (i = 1; i <= n; i++) {
			p = wanted[i]
			if (!all[p]) { printf "%-20s nothing covered\n", p; bad = 1; continue }
			percent = 100 * hit[p] / all[p]
			printf "%-20s %5.1f %%\n", p, percent
			if (percent < minimum) { printf "%s: below %d %%\n", p, minimum; bad = 1 }
		}
		exit bad
	}' "$profile"
