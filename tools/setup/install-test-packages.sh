#!/usr/bin/env bash
# Installs the Debian packages whose programs the tests run. Needs root; does nothing when all are there.
set -euo pipefail

packages=(
  bash bsdutils build-essential busybox-static coreutils diffutils file findutils gawk git grep gzip make mawk perl
  procps python3 sed strace tar util-linux xz-utils runsc iproute2
  podman conmon containerd docker.io crun tini
  gdb musl-tools openssl redis-server screen sqlite3 tmux vim-tiny
  conntrack curl iperf3 iptables iputils-ping net-tools netcat-openbsd nginx-light socat tcpdump traceroute tshark
  bind9-dnsutils openssh-client openssh-server
)
missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing+=("$package")
done
[ "${#missing[@]}" -eq 0 ] && exit 0
# Tests start the servers that they need: those of the packages stay off, deb-systemd-invoke(1p).
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  trap 'rm -f "$policy"' EXIT
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod 755 "$policy"
fi
apt-get update -qq
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
