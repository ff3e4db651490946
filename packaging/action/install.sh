#!/usr/bin/env bash
# Step of ../../action.yml: installs the static binary of a release, checked against its SHA256SUMS.
set -euo pipefail
version=${EPAUDIT_VERSION#v}
if [[ ! $version =~ ^[0-9]+\.[0-9]+\.[0-9]+$ ]]; then
    echo "::error::epaudit: '$EPAUDIT_VERSION' is no release; use the action by a tag such as v0.1.0, or set the input 'version'"
    exit 1
fi
case $(uname -m) in
    x86_64) arch=amd64 ;;
    *)
        echo "::error::epaudit: there is no release for $(uname -m)"
        exit 1
        ;;
esac
name=epaudit-$version-linux-$arch
folder=$RUNNER_TEMP/epaudit
mkdir -p "$folder"
cd "$folder"
curl --fail --silent --show-error --location --retry 3 --remote-name "$EPAUDIT_RELEASES/v$version/$name.tar.gz" \
    --remote-name "$EPAUDIT_RELEASES/v$version/SHA256SUMS"
sha256sum --check --strict --ignore-missing SHA256SUMS
tar -xzf "$name.tar.gz"
# The audited command does not inherit them, and runs as the runner's own user. Where that is refused, strace is used.
sudo -n setcap cap_bpf,cap_perfmon,cap_sys_ptrace+ep "$folder/$name/bin/epaudit" ||
    echo "::notice::epaudit: no capabilities for BPF here; strace is used if it is installed"
echo "$folder/$name/bin" >>"$GITHUB_PATH"
