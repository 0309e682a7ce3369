#!/bin/bash
# The tunnels and tools that longhaul is tested and measured against, from Debian's packages. wireguard-go comes from the
# unstable suite, because the stable one is years old; it is unpacked to DIR, and the system's suites stay as they are.
# usage: .ci/get-peers.sh [DIR]     default /opt/peers; root; safe to run again
set -euo pipefail
DIR=${1:-/opt/peers}
TOOLS=(wireguard-tools openvpn openssh-server openssh-client iperf3 iproute2 iputils-ping nftables ethtool tcpdump procps systemd)
export DEBIAN_FRONTEND=noninteractive

missing=()
for package in "${TOOLS[@]}"; do
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
  echo "installing ${missing[*]}"
  apt-get -qq update
  apt-get -qq install -y --no-install-recommends "${missing[@]}" >/dev/null
fi

if [ -x "$DIR/wireguard-go" ]; then
  echo "$DIR/wireguard-go is there"
  exit 0
fi

# The mirror that this system already uses, in either format of sources.
mirror=$(grep -hsE '^URIs:' /etc/apt/sources.list.d/*.sources | awk '{print $2}' | head -n 1 || true)
if [ -z "$mirror" ]; then
  mirror=$(grep -hsE '^deb ' /etc/apt/sources.list /etc/apt/sources.list.d/*.list | grep -oE 'https?://[^ ]+' | head -n 1 || true)
fi
[ -n "$mirror" ] || { echo "no Debian mirror in the system's apt sources: put wireguard-go into $DIR yourself" >&2; exit 1; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
mkdir -p "$work/lists/partial" "$work/archives/partial"
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror sid main" >"$work/sources.list"
options=(
  -o "Dir::Etc::SourceList=$work/sources.list" -o Dir::Etc::SourceParts=/dev/null
  -o "Dir::State::Lists=$work/lists" -o "Dir::Cache::Archives=$work/archives" -o APT::Sandbox::User=root
  # A mirror that stands still, or a clock that is ahead, makes the list look old. Its signature is checked all the same.
  -o Acquire::Check-Valid-Until=false
)
apt-get -qq "${options[@]}" update
(cd "$work" && apt-get -qq "${options[@]}" download wireguard-go)
dpkg-deb -x "$work"/wireguard-go_*.deb "$work/unpacked"
install -D -m 755 "$work/unpacked/usr/bin/wireguard-go" "$DIR/wireguard-go"
echo "$DIR/wireguard-go: $("$DIR/wireguard-go" --version 2>/dev/null | head -n 1)"
