#!/bin/bash
# Fetch one Debian kernel (without installing it) and prepare it for vm.sh.
#
#   vm-kernel.sh SERIES          5.10 | 6.1 | 6.12 | 6.18 | 7.3 | any x.y Debian has
#   vm-kernel.sh VERSION         e.g. 6.12.117+deb12-cloud-amd64 (exact)
#   vm-kernel.sh --list          kernels already in the cache
#
# Prints the kernel's directory.  It holds vmlinux, config, lib/modules/VERSION,
# initrd.  A kernel already in the cache is reused without the network.
#
#   TESTBED_CACHE    where kernels are kept       (default /var/cache/lxcfs-testbed)
#   VM_FLAVOUR  cloud-amd64 (default) or amd64
#   VM_SUITES   override: space-separated archive suites to look in
#   VM_REFRESH  1: look for a newer kernel of the series even if one is cached
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/apt-private.sh"
cache=${TESTBED_CACHE:-/var/cache/lxcfs-testbed}
flavour=${VM_FLAVOUR:-cloud-amd64}

die() { echo "vm-kernel: $*" >&2; exit 1; }
for t in apt-get dpkg-deb depmod modprobe busybox zstd xz lz4 flock; do
    command -v "$t" >/dev/null || die "missing tool '$t' (run setup.sh vm)"
done

# versions of the wanted series and flavour among the names on stdin, oldest first
# (the flavour "amd64" is not "cloud-amd64"; x.y-FLAVOUR is a metapackage)
matching() {
    grep -E "^${1//./\\.}([.+-][0-9a-z.+~]*)?(-[0-9]+)?-$flavour\$" |
        grep -vE "^[0-9]+\.[0-9]+-$flavour\$" | sort -V
}
cached() {                      # newest cached kernel of a series, or the exact version
    local d best=
    [[ -e $cache/$1/ok ]] && { echo "$cache/$1"; return; }
    while read -r d; do [[ -e $cache/$d/ok ]] && best=$cache/$d; done < <(
        cd "$cache" && printf '%s\n' * | matching "$1")
    [[ -n $best ]] && echo "$best"
}

[[ $# == 1 && -n $1 ]] || { sed -n '2,15s/^# \?//p' "$0" >&2; exit 2; }
if [[ $1 == --list ]]; then
    for d in "$cache"/*/ok; do [[ -e $d ]] && basename "$(dirname "$d")"; done
    exit 0
fi
want=$1
mkdir -p "$cache"
exec 9>"$cache/.lock"
flock -w 600 9 || die "another vm-kernel.sh holds $cache/.lock"

if [[ ${VM_REFRESH:-} != 1 ]] && dir=$(cached "$want"); then
    echo "$dir"; exit 0
fi

# --- find and download
case ${VM_SUITES:-} in
    ?*) suites=$VM_SUITES ;;
    *)  case $want in
            5.10*)       suites="bullseye-security bullseye" ;;
            6.1|6.1.*)   suites="bookworm-security bookworm" ;;
            6.12|6.12.*) suites="bookworm-security bookworm-backports trixie-security" ;;
            *)           suites="trixie-backports sid" ;;
        esac ;;
esac
apt_init "$cache/.apt"

find_version() {                # newest package version in the suite that is set up
    local exact
    exact=$(apt_cache search --names-only "^linux-image-${want//[.+]/.}\$" | awk '{print $1}')
    if [[ -n $exact && $want == *-amd64 ]]; then echo "$want"; return; fi
    apt_cache search --names-only "^linux-image-${want//[.+]/.}.*$flavour\$" |
        awk '{print $1}' | sed 's/^linux-image-//' | matching "$want" | tail -1
}

version=
tried=()
for s in $suites; do
    tried+=("$s")
    apt_suite "$s" || continue
    version=$(find_version || true)
    [[ -n $version ]] && break
done
[[ -n $version ]] || die "no kernel '$want' ($flavour) in: ${tried[*]}; series there: $(
    apt_cache search --names-only "^linux-image-[0-9].*$flavour\$" |
        sed -E 's/^linux-image-([0-9]+\.[0-9]+).*/\1/' | sort -Vu | tr '\n' ' ')"

dir=$cache/$version
if [[ -e $dir/ok ]]; then echo "$dir"; exit 0; fi
tmp=$cache/.new.$version
rm -rf "$tmp"; mkdir -p "$tmp/debs" "$tmp/x"

# Newer packages split the image into linux-binary, linux-modules and linux-base.
pkgs=()
for p in linux-image linux-binary linux-modules linux-base; do
    [[ $(apt_cache policy "$p-$version") == *"Candidate: "[0-9]* ]] && pkgs+=("$p-$version")
done
echo "vm-kernel: downloading ${pkgs[*]} from $s" >&2
(cd "$tmp/debs" && apt_get download "${pkgs[@]}") ||
    die "download of ${pkgs[*]} failed"
for d in "$tmp"/debs/*.deb; do dpkg-deb -x "$d" "$tmp/x"; done

pick() { local f; for f in "$@"; do [[ -e $f ]] && { echo "$f"; return; }; done; return 1; }
mods=$(pick "$tmp/x/usr/lib/modules/$version" "$tmp/x/lib/modules/$version") ||
    die "no modules directory in ${pkgs[*]}"
[[ -d $mods/kernel ]] || die "no modules in ${pkgs[*]}"
image=$(pick "$tmp/x/boot/vmlinuz-$version" "$mods/vmlinuz") || die "no vmlinuz in ${pkgs[*]}"
config=$(pick "$tmp/x/boot/config-$version" "$mods/config") || die "no config in ${pkgs[*]}"
mkdir -p "$tmp/lib/modules"
cp "$config" "$tmp/config"
cp "$image" "$tmp/vmlinuz"
mv "$mods" "$tmp/lib/modules/$version"
depmod -b "$tmp" "$version"

# QEMU starts an uncompressed vmlinux directly (PVH); under TCG that saves the
# seconds the in-kernel decompressor would take.  Falls back to vmlinuz.
unpack() {
    local magic cmd off
    while read -r magic cmd; do
        for off in $(LC_ALL=C grep -aboP "$magic" "$1" | cut -d: -f1 | head -20); do
            tail -c "+$((off + 1))" "$1" | $cmd > "$2" 2>/dev/null || true
            [[ $(head -c4 "$2" | od -An -c | tr -d ' ') == 177ELF ]] && return 0
        done
    done <<'EOF'
\x28\xb5\x2f\xfd zstd -dcq
\xfd7zXZ\x00 xz -dcq
\x02\x21\x4c\x18 lz4 -dcq
\x1f\x8b\x08 gzip -dcq
EOF
    return 1
}
if ! unpack "$tmp/vmlinuz" "$tmp/vmlinux"; then
    echo "vm-kernel: cannot unpack vmlinuz, booting it as it is (slower)" >&2
    cp "$tmp/vmlinuz" "$tmp/vmlinux"
fi

# --- initrd: busybox and the few modules that reach the root (vm.sh appends
# /init).  Everything else is loaded from lib/modules through the shared root.
ir=$tmp/ir
mkdir -p "$ir"/{bin,mod,proc,sys,dev,ro,rw,root}
cp "$(command -v busybox)" "$ir/bin/busybox"
: > "$ir/mod/order"
for m in virtio_pci virtio_console virtiofs overlay; do
    while read -r verb path _; do
        [[ $verb == insmod ]] || continue
        name=$(basename "$path"); name=${name%%.ko*}
        grep -qx "$name" "$ir/mod/order" && continue
        case $path in
            *.xz)  xz -dc "$path" > "$ir/mod/$name" ;;
            *.zst) zstd -dcq "$path" > "$ir/mod/$name" ;;
            *)     cp "$path" "$ir/mod/$name" ;;
        esac
        echo "$name" >> "$ir/mod/order"
    done < <(modprobe -d "$tmp" -S "$version" --show-depends "$m" 2>/dev/null || true)
done
rm -rf "$tmp/debs" "$tmp/x"
(cd "$ir" && find . | busybox cpio -o -H newc 2>/dev/null) > "$tmp/initrd"
rm -rf "$ir" "$dir"
mv "$tmp" "$dir"
: > "$dir/ok"
echo "$dir"
