#!/usr/bin/env bash
# Set up an environment for one purpose: runtime or development in .venv, kopf in .venv-kopf (what a
# benchmark is compared with, and nothing of ours). Run again at will.
set -euo pipefail
cd "$(dirname "$0")/.."

# Debian's own Python is built with profiles of what programs do, and a fifth faster than what a
# version manager builds: it is taken where it is new enough, and has `venv`.
new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }
has_venv() { "$1" -c 'import ensurepip, venv' 2>/dev/null; }
best_python() {
    for one in /usr/bin/python3 python3; do new_enough $one && has_venv $one && break; done
    echo $one
}

purpose=${1:?runtime, development or kopf}
python=${PYTHON:-$(best_python)}
venv=.venv
[ "$purpose" = kopf ] && venv=.venv-kopf

say() { printf '\033[2m%s\033[0m\n' "$*" >&2; }

# Install Debian packages that are missing; says what to do where that is not possible.
debian() {
    local missing=()
    for package in "$@"; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
    done
    [ ${#missing[@]} -eq 0 ] && return
    if ! command -v apt-get >/dev/null || [ "$(id -u)" -ne 0 ]; then
        echo "Please install these packages first: ${missing[*]}" >&2
        return 1
    fi
    say "Installing from Debian: ${missing[*]}"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

make_environment() {
    [ -x "$venv/bin/python" ] && return
    command -v "$python" >/dev/null || debian python3
    new_enough "$python" || {
        echo "Python 3.11 or newer is needed; $($python --version) is too old." >&2
        exit 1
    }
    has_venv "$python" || debian python3-venv
    say "Creating $venv"
    "$python" -m venv "$venv"
    "$venv/bin/pip" install -q --disable-pip-version-check -c constraints.txt -U pip 2> >(grep -v '^WARNING' >&2)
}

install() { "$venv/bin/pip" install -q --disable-pip-version-check -c constraints.txt "$@" 2> >(grep -v '^WARNING' >&2); }

make_environment
case $purpose in
runtime)
    say "Installing govcloud and its libraries"
    install -e .
    ;;
development)
    # The PostgreSQL server is started by the tests themselves, on a socket of its own; Debian's
    # ready-made cluster is not wanted.
    if [ -z "$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null)" ] && ! command -v initdb >/dev/null; then
        mkdir -p /etc/postgresql-common 2>/dev/null && echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.conf || true
        debian postgresql
    fi
    # Hosts for the migration's tests (docs/labs.md). None of these services is wanted on the machine
    # itself: Debian starts none while this file says so.
    if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
        policy=/usr/sbin/policy-rc.d
        ours=false
        [ -e $policy ] || { printf '#!/bin/sh\nexit 101\n' >$policy && chmod 755 $policy && ours=true; }
        debian acl attr cron iproute2 mariadb-server nginx-light openssh-server qemu-utils rsync sudo systemd || true
        ! $ours || rm -f $policy
    fi
    say "Installing what tests and checks need"
    install --group dev
    ;;
kopf)
    say "Installing kopf"
    install --group kopf
    ;;
esac
touch "$venv/.$purpose"
