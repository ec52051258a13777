#!/bin/sh
# boot.sh CGROUP IMAGE WORK SHARED-PATH READ-ONLY-PATH...
# Boots the init of IMAGE as pid 1 of namespaces of its own. Nothing is written to IMAGE: what the machine writes is in
# memory, and goes with it, but for SHARED-PATH. These paths of the host are seen at the same places. The machine dies with whoever
# runs this: WORK is mounted over in its own mount namespace only.
set -eu

if [ "$1" != inside ]; then
  echo $$ > "$1/cgroup.procs"
  shift
  exec setpriv --pdeathsig KILL unshare --fork --kill-child --pid --mount --uts --ipc --cgroup --propagation private \
    /bin/sh "$0" inside "$@"
fi
image=$2 work=$3 shared=$4
shift 4

mount -t tmpfs machine "$work"
mkdir "$work/upper" "$work/work" "$work/root"
root=$work/root
mount -t overlay -o "lowerdir=$image,upperdir=$work/upper,workdir=$work/work" machine "$root"
mount -t proc proc "$root/proc"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
for directory in run tmp dev; do mount -t tmpfs -o mode=755 tmpfs "$root/$directory"; done
chmod 1777 "$root/tmp"
for device in null zero full random urandom tty; do
  : > "$root/dev/$device"
  mount --bind "/dev/$device" "$root/dev/$device"
done
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
for path in "$@"; do
  if [ -d "$path" ]; then mkdir -p "$root$path"; else mkdir -p "$root${path%/*}" && : > "$root$path"; fi
  mount --bind "$path" "$root$path"
  mount -o remount,bind,ro "$root$path"
done
mount --bind "$shared" "$root$shared"
# At boot, systemd-tmpfiles empties /tmp, where some of these paths may lie.
mkdir -p "$root/etc/tmpfiles.d"
ln -sf /dev/null "$root/etc/tmpfiles.d/tmp.conf"
# Each daemon-reload runs all generators. These find nothing to generate here.
mkdir -p "$root/etc/systemd/system-generators"
for name in cryptsetup debug fstab getty gpt-auto hibernate-resume integritysetup rc-local run system-update veritysetup; do
  ln -s /dev/null "$root/etc/systemd/system-generators/systemd-$name-generator"
done
echo machine > "$root/etc/hostname"
hostname machine

cd "$root"
mkdir .host
pivot_root . .host
umount -l /.host
# systemd does so itself, but not where it thinks that it is in a container. Services' own mounts come from here.
mount --make-rshared /
[ ! -e /lib/systemd/systemd ] || exec env -i container=lab /lib/systemd/systemd --system
# In a container OpenRC leaves out what would act on the kernel, which is the host's. It knows this one.
exec env -i container=lxc PATH=/usr/sbin:/usr/bin:/sbin:/bin /sbin/init
