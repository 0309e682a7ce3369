#!/bin/bash
# Makes, once, the Debian 13 tree that the service tests boot: systemd, Node and the tools of an admin. Later calls find
# it and return at once. About 150 MB are downloaded.
#
# usage: make-tree.sh DIRECTORY      prints nothing; DIRECTORY/.complete tells that the tree is whole
set -euo pipefail
tree=$1
packages=systemd,systemd-sysv,dbus,iproute2,iputils-ping,nodejs,wireguard-tools,procps,netcat-openbsd

[ -e "$tree/.complete" ] && exit 0
mkdir -p "$(dirname "$tree")"
exec 9>"$tree.lock"
flock 9
[ -e "$tree/.complete" ] && exit 0
rm -rf --one-file-system "$tree"
debootstrap --variant=minbase --include="$packages" trixie "$tree" "${LONGHAUL_DEBIAN_MIRROR:-http://deb.debian.org/debian}" >"$tree.log" 2>&1 ||
  { tail -n 20 "$tree.log" >&2; exit 1; }
rm -rf "$tree"/var/cache/apt/archives/*.deb
touch "$tree/.complete"
