# Sourced by vm-kernel.sh and peer.sh: download Debian packages of any suite
# through apt with its own lists and cache.  The machine's apt configuration is
# neither read nor changed, nothing is installed; signatures are checked as usual.
# shellcheck shell=bash
#
#   apt_init DIR     where the lists live
#   apt_suite SUITE  look at this suite (and only it) from now on; 1: not reachable
#   apt_get, apt_cache ARG...

apt_init() {
    apt_dir=$1
    mkdir -p "$apt_dir/lists/partial" "$apt_dir/cache/archives/partial"
    apt_opts=(-q -q
        -o Dir::Etc::sourcelist="$apt_dir/sources.list" -o Dir::Etc::sourceparts=/dev/null
        -o Dir::Etc::preferences=/dev/null -o Dir::Etc::preferencesparts=/dev/null
        -o Dir::State::lists="$apt_dir/lists" -o Dir::State::status=/dev/null
        -o Dir::Cache="$apt_dir/cache" -o APT::Sandbox::User=root
        -o Acquire::Languages=none -o Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false
        -o Acquire::Retries=3)
}
apt_get() { timeout 600 apt-get "${apt_opts[@]}" "$@" >&2; }
apt_cache() { apt-cache "${apt_opts[@]}" "$@"; }
apt_suite() {
    local url kind=-v                # the archive this machine's own apt uses
    [[ $1 == *-security ]] && kind=
    # shellcheck disable=SC2016     # for apt
    url=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -i debian | grep $kind security | head -1)
    [[ -n $url ]] || { echo "${0##*/}: apt knows no archive for $1" >&2; return 1; }
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg arch=amd64] $url $1 main" \
        > "$apt_dir/sources.list"
    apt_get update || { echo "${0##*/}: suite $1 is not reachable" >&2; return 1; }
}
