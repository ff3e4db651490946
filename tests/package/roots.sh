#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# roots.sh COMMAND...: runs COMMAND in a root of its own: this machine's, under an overlay that is gone afterwards.
# Needs root. Exit code 77: overlays cannot be mounted here.
set -euo pipefail
if [[ ${1:-} != --inside ]]; then exec unshare --mount --pid --fork --propagation private -- "$0" --inside "$@"; fi
shift
place=$(mktemp -d)
mount -t tmpfs tmpfs "$place"
mkdir "$place"/{upper,work,root}
mount -t overlay overlay -o "lowerdir=/,upperdir=$place/upper,workdir=$place/work" "$place/root" || exit 77
mount -t proc proc "$place/root/proc"
mount --rbind /dev "$place/root/dev"
# What the tests hand over lies below the build folder, which may be a file system of its own.
mount --bind "${EPAUDIT_SHARED:?}" "$place/root$EPAUDIT_SHARED"
code=0
chroot "$place/root" "$@" || code=$?
umount -l "$place"
rmdir "$place"
exit "$code"
