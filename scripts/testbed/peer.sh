#!/bin/bash
# Fetch an lxcfs of some Debian suite, with the libraries it wants, and make it
# runnable here without installing it: a peer to compare with.
#
#   peer.sh SUITE      bullseye (4.0) | bookworm (5.0) | trixie (6.0) | sid (7.0)
#
# Prints the path of a launcher with lxcfs's own arguments, e.g.
#   "$(peer.sh trixie)" -f /tmp/lxcfs6
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/apt-private.sh"
die() { echo "peer: $*" >&2; exit 1; }
[[ $# == 1 && $1 =~ ^[a-z]+$ ]] || { sed -n '2,9s/^# \?//p' "$0" >&2; exit 2; }
cache=${TESTBED_CACHE:-/var/cache/lxcfs-testbed}
dir=$cache/lxcfs-$1
mkdir -p "$cache"
exec 9>"$cache/.lock"
flock -w 600 9 || die "another script holds $cache/.lock"
if [[ ! -e $dir/ok ]]; then
    apt_init "$cache/.apt"
    apt_suite "$1" || die "no suite $1"
    tmp=$cache/.new.lxcfs-$1
    rm -rf "$tmp"; mkdir -p "$tmp/debs" "$tmp/x" "$tmp/lib"
    depends=$(apt_cache show --no-all-versions lxcfs | sed -n 's/^Depends: //p')
    [[ -n $depends ]] || die "no lxcfs in $1"
    pkgs=(lxcfs)
    for p in $(tr ',' '\n' <<< "$depends" | awk '{print $1}'); do
        case $p in lib*) pkgs+=("$p") ;; esac
    done
    echo "peer: downloading ${pkgs[*]} from $1" >&2
    (cd "$tmp/debs" && apt_get download "${pkgs[@]}") || die "download failed"
    for d in "$tmp"/debs/*.deb; do dpkg-deb -x "$d" "$tmp/x"; done
    # (not lib64: its link to the loader is absolute and would be this machine's)
    find "$tmp/x" -path '*/lib/x86_64-linux-gnu/*' -maxdepth 5 \( -name '*.so' -o -name '*.so.*' \) \
        -exec cp -a {} "$tmp/lib/" \;
    cp "$tmp/x/usr/bin/lxcfs" "$tmp/lxcfs.bin"
    [[ -e $tmp/lib/ld-linux-x86-64.so.2 ]] || die "no dynamic loader in ${pkgs[*]}"
    cat > "$tmp/lxcfs" <<'EOF'
#!/bin/sh
d=$(dirname "$(readlink -f "$0")")
exec "$d/lib/ld-linux-x86-64.so.2" --library-path "$d/lib" "$d/lxcfs.bin" "$@"
EOF
    chmod 755 "$tmp/lxcfs"
    "$tmp/lxcfs" --version >&2 || die "it does not run here"
    rm -rf "$tmp/debs" "$tmp/x" "$dir"
    mv "$tmp" "$dir"
    : > "$dir/ok"
fi
echo "$dir/lxcfs"
