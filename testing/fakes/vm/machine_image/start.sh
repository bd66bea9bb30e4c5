#!/bin/sh
# First process of the machine: what systemd would have started. Words given are more options of dockerd.
# Containers inside it count as its own: their cgroups lie below the one that it was given.
set -eu
mount -o remount,rw /proc/sys
[ -f /etc/ssh/ssh_host_ed25519_key ] || ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key
mkdir -p /run/sshd /run/fake-vm
cgroup=$(sed -n 's/^[0-9]*:[^:]*:\(\/.*[^/]\)$/\1/p' /proc/self/cgroup | head -n 1)
printf '%s\n' "$@" ${cgroup:+"--cgroup-parent=$cgroup"} >/run/fake-vm/dockerd-options
systemctl start ssh
systemctl start docker
# Orphans of a closed session are ours to bury, as they are init's.
exec python3 -c '
import os, signal, sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
while True:
    try:
        os.wait()
    except ChildProcessError:
        signal.pause()
'
