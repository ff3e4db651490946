#!/usr/bin/env bash
# Each header compiles by itself, whatever was included before it: check_headers.sh [HEADER...], from the root of the
# sources; build/generated must be there. Part of ./dev lint, and ./dev check-headers by itself.
set -euo pipefail

compile() {
    printf '#include "%s"\n' "$1" |
        g++ -std=c++20 -fsyntax-only -Wall -Wextra -I. -Ibuild/generated -DEPAUDIT_VERSION='""' -x c++ - ||
        { printf '%s does not compile by itself\n' "$1" >&2 && return 1; }
}
export -f compile

if [[ $# -eq 0 ]]; then
    mapfile -t headers < <(git ls-files --cached --others --exclude-standard -- 'src/*.h' 'rules/*.h')
    set -- "${headers[@]}"
fi
# shellcheck disable=SC2016 # the inner shell expands it
printf '%s\0' "$@" | xargs -0 -n 1 -P "$(nproc)" bash -c 'compile "$1"' compile
