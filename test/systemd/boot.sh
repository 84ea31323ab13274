#!/usr/bin/env bash
# A Debian with systemd as PID 1, in namespaces of its own, for as long as standard input stays open. Called
# by machine.ts.
#
#   boot.sh FOLDER    prints "tree built" or "tree cached", then "leader PID" (PID 1 of the guest, as this
#                     machine counts) when systemd has brought everything up; FOLDER is visible inside,
#                     read-only, as /mnt/host. Ends when standard input ends, or by TERM.
#
# Exit status 3: this cannot be done here, and the last line on stderr says why.
#
# The tree is made once, by debootstrap, in $SLUICE_SYSTEMD_TREE (default /var/tmp/sluice-systemd-tree). A
# boot never writes to it: changes go to a tmpfs on top and are gone afterwards, so several can run at once.
# Nothing of this machine's own systemd or network is touched.
set -u
shared=$1
tree=${SLUICE_SYSTEMD_TREE:-/var/tmp/sluice-systemd-tree}
suite=bookworm
# Raised whenever the tree is to be made otherwise, so that cached ones are made anew.
recipe=1
name=sluice-test-$$
boot_seconds=60

cannot() {
  echo "$*" >&2
  exit 3
}

[ "$(id -u)" = 0 ] || cannot "root is needed"
for tool in systemd-nspawn debootstrap nsenter unshare; do
  command -v "$tool" >/dev/null || cannot "$tool is missing (apt-get install systemd-container debootstrap)"
done

# --- the tree ---------------------------------------------------------------------------------------------
build_tree() {
  local new=$tree.new.$$ unit
  rm -rf --one-file-system "$tree" "$new"
  debootstrap --variant=minbase --include=systemd,systemd-sysv,dbus,curl "$suite" "$new" \
    >"$tree.log" 2>&1 </dev/null || {
    tail -n 3 "$tree.log" >&2
    rm -rf --one-file-system "$new"
    cannot "debootstrap failed, see $tree.log"
  }
  rm -rf "$new"/var/lib/apt/lists/* "$new"/var/cache/apt/archives/*.deb "$new"/usr/share/{doc,locale,man}/*
  # Work that a machine of a few seconds does not need; mounts that a container may not make.
  for unit in apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer fstrim.timer \
    getty.target console-getty.service systemd-timesyncd.service systemd-networkd.service \
    systemd-resolved.service \
    sys-kernel-debug.mount sys-kernel-tracing.mount dev-hugepages.mount; do
    ln -sf /dev/null "$new/etc/systemd/system/$unit"
  done
  echo sluice-test >"$new/etc/hostname"
  printf '127.0.0.1 localhost sluice-test\n::1 localhost\n' >"$new/etc/hosts"
  : >"$new/etc/resolv.conf"
  echo 5105ce5105ce5105ce5105ce5105ce51 >"$new/etc/machine-id" # without one every boot is a "first boot"
  mkdir -p "$new/etc/systemd/journald.conf.d" "$new/mnt/host"
  printf '[Journal]\nStorage=volatile\nRateLimitIntervalSec=0\n' >"$new/etc/systemd/journald.conf.d/test.conf"
  echo "$recipe" >"$new/.recipe"
  mv "$new" "$tree"
}

exec 9>"$tree.lock"
flock 9
if [ "$(cat "$tree/.recipe" 2>/dev/null)" = "$recipe" ]; then
  echo "tree cached"
else
  build_tree
  echo "tree built"
fi
flock -u 9
exec 9>&-

# --- the boot ---------------------------------------------------------------------------------------------
nspawn='' leader='' cgroups=()
console=$(mktemp "/tmp/$name.XXXXXX")

inside() { nsenter --target "$leader" --mount --uts --ipc --net --pid --cgroup --root --wd -- "$@"; }

is_over() { # within tenths of seconds
  local _
  for _ in $(seq "$1"); do
    kill -0 "$nspawn" 2>/dev/null || return 0
    sleep 0.1
  done
  return 1
}

end() {
  trap - EXIT INT TERM
  if [ -n "$nspawn" ] && kill -0 "$nspawn" 2>/dev/null; then
    # SIGRTMIN+4 to PID 1 is poweroff.target.
    [ -n "$leader" ] && kill -s RTMIN+4 "$leader" 2>/dev/null
    is_over 150 || { [ -n "$leader" ] && kill -KILL "$leader" 2>/dev/null; }
    is_over 30 || kill -KILL "$nspawn" 2>/dev/null
  fi
  [ -n "$nspawn" ] && wait "$nspawn" 2>/dev/null
  for folder in ${cgroups[@]+"${cgroups[@]}"}; do
    find "$folder" -depth -type d -exec rmdir {} + 2>/dev/null
  done
  rm -f "$console"
}
trap end EXIT
trap 'exit 143' TERM
trap 'exit 130' INT

options=(
  --quiet "--directory=$tree" --boot --read-only --volatile=overlay "--machine=$name" --hostname=sluice-test
  --private-network --register=no --link-journal=no --resolv-conf=off --timezone=off --console=pipe
  "--bind-ro=$shared:/mnt/host"
  --capability=CAP_SYS_RESOURCE,CAP_BPF,CAP_PERFMON --rlimit=NOFILE=1024:1048576
)
unified=''
if [ ! -d /run/systemd/system ]; then
  # No systemd here that could be asked for a scope: the guest gets control groups made by hand, and sees
  # version 2 only, as on a real Debian.
  options+=(--keep-unit)
  for folder in /sys/fs/cgroup/unified /sys/fs/cgroup/systemd /sys/fs/cgroup; do
    [ -e "$folder/cgroup.procs" ] && mkdir "$folder/$name" 2>/dev/null && cgroups+=("$folder/$name")
  done
  [ ${#cgroups[@]} -gt 0 ] || cannot "no cgroup file system can be written"
  [ -e /sys/fs/cgroup/unified/cgroup.procs ] && unified=1
fi

# The child enters the groups itself, so that nothing of ours is in them. What nspawn leaves in /run goes with
# the mount namespace.
CGROUPS="${cgroups[*]-}" UNIFIED=$unified unshare --mount --propagation slave -- bash -c '
  for folder in $CGROUPS; do echo $$ >"$folder/cgroup.procs" || exit 1; done
  mkdir -p /run/systemd/nspawn && mount -t tmpfs -o mode=755 tmpfs /run/systemd/nspawn || exit 1
  ulimit -Hn 1048576 2>/dev/null
  [ -n "$UNIFIED" ] && export SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1
  export SYSTEMD_SECCOMP=0 # of nspawn, not of the guest: the host may refuse filters on top of its own
  exec systemd-nspawn "$@"' nspawn "${options[@]}" >"$console" 2>&1 </dev/null &
nspawn=$!

find_leader() { # the child that is number 1 in its own namespace and has become systemd
  local process
  for process in $(cat "/proc/$nspawn/task/$nspawn/children" 2>/dev/null); do
    grep -q '^NSpid:.*[[:space:]]1$' "/proc/$process/status" 2>/dev/null || continue
    [ "$(cat "/proc/$process/comm" 2>/dev/null)" = systemd ] && leader=$process
  done
}

state=''
for _ in $(seq $((boot_seconds * 20))); do
  kill -0 "$nspawn" 2>/dev/null || break
  [ -n "$leader" ] || find_leader
  [ -n "$leader" ] && state=$(inside systemctl is-system-running 2>/dev/null)
  case $state in running | degraded) break ;; esac
  sleep 0.05
done
case $state in
  running | degraded) ;;
  *)
    cat "$console" >&2
    cannot "systemd did not come up in $boot_seconds s (state: ${state:-none})"
    ;;
esac
echo "leader $leader"
# `read` returns for signals, too; the traps do the rest.
while read -r _; do :; done
exit 0
