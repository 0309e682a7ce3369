#!/bin/bash
# Boots a Debian tree with systemd as a machine of its own, in the network namespace it is started in; nothing of the tree is
# written to. Stays until the machine is switched off or this process is killed, and leaves nothing but an empty cgroup.
#
# usage: boot.sh TREE INSTALLED CGROUP HOSTNAME      INSTALLED is laid over the tree
set -eu
tree=$1 installed=$2 cgroup=$3 name=$4
mkdir -p /run/cgroup2 "/run/machine"
mount -t cgroup2 none /run/cgroup2
mkdir -p "/run/cgroup2/$cgroup"
echo $$ >"/run/cgroup2/$cgroup/cgroup.procs"

exec unshare --pid --mount --uts --ipc --cgroup --fork --kill-child=SIGKILL bash -euc '
  tree=$0 installed=$1 name=$2
  mount --make-rprivate /
  mount -t tmpfs -o mode=755 machine /run/machine
  cd /run/machine
  mkdir upper work root
  mount -t overlay -o "lowerdir=$installed:$tree,upperdir=upper,workdir=work" overlay root
  cd root
  mount -t proc proc proc
  mount -t sysfs sysfs sys
  mount -t tmpfs tmpfs run
  mount -t tmpfs tmpfs tmp
  mount -t tmpfs -o mode=755 dev dev
  mkdir -p dev/pts dev/shm dev/net run/systemd sys/fs/cgroup
  mount -t devpts devpts dev/pts
  mount -t tmpfs tmpfs dev/shm
  for device in null zero full random urandom tty; do
    touch "dev/$device"
    mount --bind "/dev/$device" "dev/$device"
  done
  mknod dev/net/tun c 10 200
  chmod 666 dev/net/tun
  mount -t cgroup2 none sys/fs/cgroup
  hostname "$name"
  echo "$name" >etc/hostname
  : >etc/machine-id
  mkdir -p old
  pivot_root . old
  umount -l /old
  mount --make-rshared / # as a machine has it: systemd hands credentials over by a mount
  exec env -i container=longhaul-test PATH=/usr/sbin:/usr/bin:/sbin:/bin TERM=dumb \
    /lib/systemd/systemd --system --log-target=journal-or-kmsg --show-status=0 systemd.unit=multi-user.target
' "$tree" "$installed" "$name"
