#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# life.sh OLD.deb NEW.deb: in a throw-away root: installs, upgrades, removes and purges, and looks what is there each time.
# A machine whose dpkg leaves out documentation (containers) is told to unpack it.
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive
old=$1 new=$2
dpkg_i() { dpkg --path-include='/usr/share/*' -i "$1"; }
# All files where packages may put some, but for what dpkg and man-db keep for themselves.
files() { find /etc /opt /usr /var/lib /var/spool -xdev \( -path /var/lib/dpkg -o -path /var/lib/apt \) -prune -o -print | sort; }
version() { dpkg-query -W -f '${Version} ${db:Status-Status}' epaudit; }

if dpkg-query -W epaudit >/dev/null 2>&1; then dpkg --purge epaudit; fi
files >/tmp/before
dpkg_i "$old"
[[ $(version) == "0.0.1-1 installed" ]] || { echo "FAILED install: $(version)"; exit 1; }
[[ -e /usr/share/doc/epaudit/only-in-old ]] || { echo "FAILED: the old package has no file of its own"; exit 1; }
dpkg_i "$new"
[[ $(version) == "$(dpkg-deb -f "$new" Version) installed" ]] || { echo "FAILED upgrade: $(version)"; exit 1; }
[[ ! -e /usr/share/doc/epaudit/only-in-old ]] || { echo "FAILED: a file of the old package was left behind"; exit 1; }
dpkg --verify epaudit
epaudit --version
for page in epaudit epaudit-run epaudit-attach; do man -w 1 "$page"; done
man -w 5 epaudit.toml
man -w 7 epaudit-rules
man 1 epaudit-run | grep -q -- --fail-on
bash -c '[[ -r /usr/share/bash-completion/bash_completion ]] || exit 0
    . /usr/share/bash-completion/bash_completion; _completion_loader epaudit; [[ $(complete -p epaudit) == *_epaudit* ]]'
dpkg --remove epaudit
[[ ! -e /usr/bin/epaudit ]]
dpkg --purge epaudit
files >/tmp/after
diff /tmp/before /tmp/after || { echo "FAILED: purging left something behind, or took something away"; exit 1; }
echo "install, upgrade, remove, purge: good"
