#!/usr/bin/env bash
# make_pages.sh EPAUDIT MAN COMPLETIONS: man pages, changelogs and completions as they are installed. The same input gives
# the same bytes: dates are those of the commit.
set -euo pipefail
top=$(cd "$(dirname "$(readlink -f "$0")")/.." && pwd)
epaudit=$1 man=$2 completions=$3
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git -C "$top" log -1 --format=%ct 2>/dev/null || stat -c %Y "$top/CHANGELOG.md")}

rm -rf "$man" "$completions"
mkdir -p "$completions"
python3 "$top/scripts/pages.py" man "$epaudit" "$man"
gzip -9n "$man"/man*/*
"$epaudit" completion bash >"$completions/epaudit"
"$epaudit" completion zsh >"$completions/_epaudit"
"$epaudit" completion fish >"$completions/epaudit.fish"

version=$("$epaudit" --version | awk '{ print $2 }')
gzip -9n <"$top/CHANGELOG.md" >"$man/changelog.gz"
gzip -9n >"$man/changelog.Debian.gz" <<TEXT
epaudit ($version-1) stable; urgency=medium

  * Packaged from the upstream release; changelog.gz has what changed.

 -- epaudit maintainers <epaudit@packages.debian.org>  $(LC_ALL=C date -u -R -d "@$SOURCE_DATE_EPOCH")
TEXT
touch "$man/made"
