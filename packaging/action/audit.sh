#!/usr/bin/env bash
# Step of ../../action.yml: audits the command. Fails as epaudit does.
set -uo pipefail
read -ra options <<<"$EPAUDIT_OPTIONS"
code=0
epaudit run --quiet --format text --format github --format "sarif=$EPAUDIT_SARIF" --fail-on "$EPAUDIT_FAIL_ON" \
    ${options[@]+"${options[@]}"} -- bash -euo pipefail -c "$EPAUDIT_RUN" || code=$?
echo "exit-code=$code" >>"$GITHUB_OUTPUT"
exit "$code"
