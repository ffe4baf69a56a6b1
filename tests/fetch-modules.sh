#!/bin/sh
# Fetches the kernel modules of Debian's linux-image-amd64 package and unpacks them outside of
# the repository, for the tests that run real modules. Nothing is installed.
#
#   tests/fetch-modules.sh [DIRECTORY]
#
# DIRECTORY is where to unpack; ${XDG_CACHE_HOME:-$HOME/.cache}/lcd/modules if none is given.
# Prints the directory of modules on stdout, progress and errors on stderr. Run again, it finds
# what is there and prints the same. Exit status: 0 done, 1 cannot be done here.
set -eu

META=linux-image-amd64

say() { printf '%s\n' "fetch-modules: $*" >&2; }
die() { say "$*"; exit 1; }

# Prints the directory of modules below $1, if an earlier run has finished there. The mark is
# written last.
finished() {
    [ -f "$1/.complete" ] || return 1
    dir=$1/$(cat "$1/.complete")
    [ -d "$dir/kernel" ] || return 1
    printf '%s\n' "$dir"
}

case "${1:-}" in
    -h | --help) sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$0"; exit 0 ;;
esac
[ $# -le 1 ] || die "one directory at most; see --help"
target=${1:-${XDG_CACHE_HOME:-${HOME:?no HOME is set, so name a directory}/.cache}/lcd/modules}
mkdir -p "$target" || die "cannot create $target; name a directory that you can write to"
target=$(cd "$target" && pwd)

repository=$(cd "$(dirname "$0")/.." && pwd)
case "$target/" in
    "$repository"/*)
        rmdir "$target" 2>/dev/null || true
        die "$target is inside the repository; name a directory outside of it"
        ;;
esac

if finished "$target"; then
    exit 0
fi

for tool in apt-get apt-cache dpkg-deb; do
    command -v "$tool" >/dev/null 2>&1 ||
        die "$tool is not here, so this is no Debian system. Unpack a Debian linux-image-*-amd64" \
            "package elsewhere and pass its lib/modules/VERSION directory as the module store."
done

# The meta-package depends on the package of the current version: the first real one it names.
package=$(LC_ALL=C apt-cache depends "$META" 2>/dev/null |
    sed -n 's/^ *Depends: \(linux-image-[0-9][^ ]*\)$/\1/p' | head -n 1)
[ -n "$package" ] ||
    die "apt knows no $META. Its lists may be empty (run apt-get update as root), or the system" \
        "is not an amd64 Debian."

work=$(mktemp -d "$target/fetch.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

say "downloading $package"
(cd "$work" && apt-get download "$package" >apt.log 2>&1) || {
    sed 's/^/  /' "$work/apt.log" >&2
    die "apt-get could not download $package. Without a network, copy the directory of modules" \
        "from a machine that has one; if the version is gone, run apt-get update as root."
}

say "unpacking into $target"
dpkg-deb -x "$work"/*.deb "$work/root" || die "the package is damaged; run this again"
# Since Debian 13, /lib is a link and packages have /usr/lib themselves.
for lib in lib usr/lib; do
    for dir in "$work/root/$lib/modules"/*/kernel; do
        [ -d "$dir" ] && modules=${dir%/kernel}
    done
done
[ -n "${modules:-}" ] || die "$package has no modules below lib/modules"
version=$(basename "$modules")
rm -rf "${target:?}/$version"
mv "$modules" "$target/$version"
printf '%s\n' "$version" >"$work/complete"
mv "$work/complete" "$target/.complete"
finished "$target"
