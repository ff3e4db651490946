# shellcheck shell=bash
# What building and testing need, and how it is installed. Part of ../dev.

BUILD_PACKAGES=(clang-14 llvm-14 libclang-rt-14-dev bpftool libbpf-dev libelf-dev zlib1g-dev libcli11-dev libfmt-dev
    nlohmann-json3-dev libtomlplusplus-dev robin-map-dev libzstd-dev libdw-dev libbz2-dev liblzma-dev cmake ninja-build g++ pkg-config
    libgtest-dev librapidcheck-dev liburing-dev python3 git ccache linux-libc-dev)
TEST_PACKAGES=(nginx-light redis-server redis-tools wrk strace zstd procps iproute2
    qemu-system-x86 busybox-static cpio runc python3-jsonschema libxml2-utils chromium-headless-shell fonts-dejavu-core)
# Real servers, and the libraries and compilers of the small ones in tests/real/samples.
REAL_PACKAGES=(memcached haproxy lighttpd apache2-bin mosquitto syslog-ng-core unbound nodejs postgresql-15 mariadb-server-core
    beanstalkd ngircd slapd rabbitmq-server bind9 knot pdns-recursor dnsdist squid varnish gcc libc6-dev h2o
    uwsgi-core uwsgi-plugin-python3 php8.2-fpm nghttp2-client openssl dbus-daemon gearman-job-server tor coturn xvfb
    transmission-daemon dovecot-core dovecot-imapd pgbouncer
    caddy etcd-server prometheus nats-server puma tomcat10-common ejabberd
    gunicorn python3-gevent python3-uvloop python3-tornado python3-trio python3-twisted
    golang-go cargo librust-tokio-dev libevent-dev libuv1-dev libasio-dev openjdk-17-jdk-headless libnetty-java)
# What ./dev lint runs; where it cannot be installed, lint says so and does without.
LINT_PACKAGES=(clang-format clang-tidy cppcheck shellcheck)
# What draws docs/pictures.
PICTURE_PACKAGES=(tmux aha chromium-headless-shell fonts-dejavu-core)
# What ./dev package needs, and what tests its results.
PACKAGE_PACKAGES=(scdoc umoci dpkg-dev file)
PACKAGE_TEST_PACKAGES=(lintian mandoc man-db crun runc zsh fish bash-completion make curl python3-yaml)
# The same as programs and pkg-config modules, for systems that are not Debian 12.
BUILD_TOOLS=(clang bpftool cmake ninja g++ pkg-config python3 git)
TEST_TOOLS=(nginx redis-server redis-benchmark wrk strace zstd pgrep ss qemu-system-x86_64 busybox cpio runc xmllint)
MODULES=(libbpf libelf zlib fmt nlohmann_json tomlplusplus libzstd libdw gtest)

on_debian_12() {
    grep -qx 'ID=debian' /etc/os-release 2>/dev/null && grep -qx 'VERSION_ID="12"' /etc/os-release
}

installed() { [[ $(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null) == installed ]]; }

# Of those named.
missing_packages() {
    local package
    for package in "$@"; do
        installed "$package" && continue
        [[ $package == nginx-light ]] && command -v nginx >/dev/null && continue # another flavour
        say "$package"
    done
}

# Of those named, and the modules.
missing_tools() {
    local tool module
    for tool in "$@"; do
        command -v "$tool" >/dev/null || [[ -x /usr/sbin/$tool ]] || say "$tool"
    done
    command -v pkg-config >/dev/null || return 0
    for module in "${MODULES[@]}"; do
        pkg-config --exists "$module" || say "$module (development files)"
    done
}

# No service may start because it was installed for its binary: neither now nor at the next boot.
install_packages() {
    local guard=/usr/sbin/policy-rc.d guarded=false package unit
    if [[ ! -e $guard ]]; then
        printf '#!/bin/sh\nexit 101\n' | as_root tee "$guard" >/dev/null
        as_root chmod 755 "$guard"
        guarded=true
    fi
    local ok=true
    as_root apt-get update &&
        as_root env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 \
            apt-get install -y --no-install-recommends "$@" || ok=false
    if $guarded; then as_root rm -f "$guard"; fi
    $ok || die "apt could not install: $*"
    for package in "$@"; do
        case $package in
            nginx-light) unit=nginx ;;
            redis-server | memcached | haproxy | lighttpd | mosquitto | unbound | beanstalkd | ngircd) unit=$package ;;
            slapd | rabbitmq-server | knot | pdns-recursor | dnsdist | squid | varnish | h2o | php8.2-fpm) unit=$package ;;
            gearman-job-server | tor | coturn | transmission-daemon | pgbouncer) unit=$package ;;
            syslog-ng-core) unit=syslog-ng ;;
            bind9) unit=named ;;
            dovecot-core) unit=dovecot ;;
            postgresql-15) unit=postgresql ;;
            *) continue ;;
        esac
        if command -v systemctl >/dev/null; then as_root systemctl disable "$unit" >/dev/null 2>&1 || true; fi
    done
}

# All that is needed; with `build`, `lint`, `pictures` or `package`, only what these need.
setup() {
    local missing wanted=("${BUILD_PACKAGES[@]}") tools=("${BUILD_TOOLS[@]}")
    case ${1:-all} in
        build) ;;
        lint) wanted+=("${LINT_PACKAGES[@]}") ;;
        pictures)
            wanted+=("${PICTURE_PACKAGES[@]}")
            tools+=(tmux aha)
            ;;
        package)
            wanted+=("${PACKAGE_PACKAGES[@]}")
            tools+=(scdoc umoci dpkg-deb dpkg-shlibdeps)
            ;;
        *)
            wanted+=("${TEST_PACKAGES[@]}" "${REAL_PACKAGES[@]}" "${PACKAGE_PACKAGES[@]}" "${PACKAGE_TEST_PACKAGES[@]}")
            tools+=("${TEST_TOOLS[@]}")
            ;;
    esac
    if on_debian_12; then
        mapfile -t missing < <(missing_packages "${wanted[@]}")
        if [[ ${#missing[@]} -eq 0 ]]; then return; fi
        say "installing: ${missing[*]}"
        install_packages "${missing[@]}"
        return
    fi
    mapfile -t missing < <(missing_tools "${tools[@]}")
    if [[ ${#missing[@]} -eq 0 ]]; then return; fi
    {
        say "dev: setup installs packages on Debian 12 only. Missing here:"
        printf '  %s\n' "${missing[@]}"
        say "The packages it would install there:"
        printf '%s ' "${wanted[@]}" | fold -s -w 98 | sed 's/^/  /'
        say ""
    } >&2
    exit 2
}
