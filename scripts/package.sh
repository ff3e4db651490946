# shellcheck shell=bash
# ./dev package: what a release is made of. Part of ../dev.

# package [--twice]: into build/package; --twice builds all of it again elsewhere, without ccache, and compares.
package() {
    if [[ $# -gt 1 || ${1:---twice} != --twice ]]; then die "package [--twice]"; fi
    setup package
    build dev epaudit epaudit_pages epaudit-static
    make_packages build build/package
    say ""
    cat build/package/SHA256SUMS
    if [[ ${1:-} == --twice ]]; then package_again; fi
}

# The same commit in another folder, with nothing taken from a cache.
package_again() {
    local other=build/again difference
    rm -rf "$other"
    mkdir -p "$other"
    git ls-files -z --cached --others --exclude-standard | tar --null -T - -cf - | tar -xf - -C "$other"
    # Beside the files, only what the commit is called and when it was made.
    build_again "$other" "$(commit_name)" || die "the second build failed"
    difference=$(diff build/package/SHA256SUMS "$other/out/package/SHA256SUMS") || {
        say "$difference"
        die "the second build is not the same; it is in $other/out/package"
    }
    say "built twice, in two folders: every file is the same"
    rm -rf "$other"
}

# build_again FOLDER COMMIT
build_again() {
    local commit=$2 time
    time=$(commit_time)
    cd "$1" || return
    CCACHE_DISABLE=1 cmake -G Ninja -S . -B out -DCMAKE_BUILD_TYPE=RelWithDebInfo -DEPAUDIT_TESTS=OFF -Wno-dev \
        -DEPAUDIT_COMMIT="$commit" >/dev/null &&
        SOURCE_DATE_EPOCH=$time CCACHE_DISABLE=1 cmake --build out --target epaudit epaudit_pages epaudit-static &&
        SOURCE_DATE_EPOCH=$time make_packages out out/package
    local code=$?
    cd "$OLDPWD" && return $code
}

# As --version has it, and the time that stands in packages for that of the build.
commit_name() { build/epaudit --version | sed -n 's/.*(\(.*\))/\1/p'; }
commit_time() { git log -1 --format=%ct; }

# make_packages BUILD OUTPUT: from what is built in BUILD. Times, owners and the order of files are fixed.
make_packages() {
    local from to=$2 version arch
    from=$(realpath "$1")
    export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(commit_time)} LC_ALL=C TZ=UTC
    umask 022
    version=$("$from/epaudit" --version | awk '{ print $2 }')
    arch=$(dpkg --print-architecture)
    rm -rf "$to"
    mkdir -p "$to"
    package_deb "$from" "$to"
    package_tarball "$from" "$to" "epaudit-$version-linux-$arch"
    package_image "$from" "$to" "epaudit-$version-oci-$arch" "$version" "$arch"
    python3 scripts/sbom.py "$from" >"$to/epaudit-$version.cdx.json"
    (cd "$to" && sha256sum -- *.deb *.tar.gz *.tar *.json >SHA256SUMS)
}

# CPack makes the package and the one with the debug information. They are packed again, because CPack has its own idea of
# time, and of what debug packages look like (lintian compares them with those of dh_strip).
package_deb() {
    local from=$1 to=$2 one work=$1/deb tree=$1/deb/tree
    rm -rf "$work"
    (cd "$from" && cpack -G DEB -B "$work" >/dev/null 2>&1) || die "cpack failed: (cd $from && cpack -G DEB)"
    for one in "$work"/*.deb "$work"/*.ddeb; do
        dpkg-deb --raw-extract "$one" "$tree"
        if [[ $one == *.ddeb ]]; then
            sed -i '/^Auto-Built-Package:/d; s/^Section:.*/Section: debug\nAuto-Built-Package: debug-symbols/' "$tree/DEBIAN/control"
            mkdir -p "$tree/usr/share/doc"
            ln -s epaudit "$tree/usr/share/doc/epaudit-dbgsym"
        else
            strip --strip-unneeded --remove-section=.comment --remove-section=.note "$tree/usr/bin/epaudit"
        fi
        (cd "$tree" && find . -path ./DEBIAN -prune -o -type f -printf '%P\n' | sort | xargs -d '\n' md5sum >DEBIAN/md5sums)
        sed -i "s/^Installed-Size:.*/Installed-Size: $(installed_kib "$tree")/; /^\$/d" "$tree/DEBIAN/control"
        # At a higher level the debug information takes a minute for a tenth less.
        dpkg-deb --root-owner-group -Zxz -z1 --build "$tree" "$to/$(basename "${one%.*}").deb" >/dev/null
        rm -rf "$tree"
    done
    rm -rf "$work"
}

# As dpkg-gencontrol counts: files in KiB, rounded up, one for anything else. `du` would ask the file system.
installed_kib() {
    find "$1" -path "$1/DEBIAN" -prune -o -type f -printf '%s\n' -o -printf '0\n' |
        awk '{ sum += $1 ? int(($1 + 1023) / 1024) : 1 } END { print sum }'
}

# pack FOLDER NAME: standard output is a tar of NAME in FOLDER.
pack() {
    tar --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner --format=gnu -C "$1" -cf - "$2"
}

package_tarball() {
    local from=$1 to=$2 name=$3 tree
    tree=$from/tarball
    rm -rf "$tree"
    mkdir -p "$tree/$name"/{bin,share/man,completions}
    install -m 755 "$from/epaudit-static" "$tree/$name/bin/epaudit"
    cp -r "$from"/man/man[157] "$tree/$name/share/man"
    cp "$from"/completions/* "$tree/$name/completions"
    cp README.md SECURITY.md CHANGELOG.md LICENSE packaging/epaudit.toml "$tree/$name"
    cp LICENSES/GPL-2.0.txt "$tree/$name/LICENSE.GPL-2.0"
    pack "$tree" "$name" | gzip -9n >"$to/$name.tar.gz"
    rm -rf "$tree"
}

# An OCI layout in a tar, as `podman load` and `skopeo copy oci-archive:` take it: the static binary and nothing else.
package_image() {
    local from=$1 to=$2 name=$3 version=$4 arch=$5 tree=$1/oci created tag
    local keep=()
    if [[ $EUID -ne 0 ]]; then keep=(--rootless); fi
    created=$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y-%m-%dT%H:%M:%SZ)
    rm -rf "$tree"
    mkdir -p "$tree/root/usr/bin" "$tree/root/tmp"
    chmod 1777 "$tree/root/tmp"
    install -m 755 "$from/epaudit-static" "$tree/root/usr/bin/epaudit"
    find "$tree/root" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
    tag=$tree/image:$version
    umoci init --layout "$tree/image"
    umoci new --image "$tag"
    umoci insert "${keep[@]}" --image "$tag" --history.created "$created" --history.created_by "epaudit $version" "$tree/root" /
    umoci config --image "$tag" --created "$created" --history.created "$created" --history.created_by "epaudit $version" \
        --os linux --architecture "$arch" --config.entrypoint /usr/bin/epaudit --config.cmd --help \
        --config.label org.opencontainers.image.title=epaudit \
        --config.label org.opencontainers.image.version="$version" \
        --config.label org.opencontainers.image.licenses=Apache-2.0
    umoci gc --layout "$tree/image" >/dev/null
    # umoci takes a tag; podman wants name and tag here, to call the image so.
    sed -i "s|\(\"org.opencontainers.image.ref.name\":\"\)$version\"|\1epaudit:$version\"|" "$tree/image/index.json"
    pack "$tree/image" . >"$to/$name.tar"
    rm -rf "$tree"
}
