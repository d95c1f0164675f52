#!/usr/bin/env bash
# Sees to it that the browser tests have a Chromium. Called by `make test`.
set -euo pipefail

for name in chromium chromium-browser google-chrome; do
    if command -v "$name" >/dev/null; then
        exit 0
    fi
done
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "browser: installing Debian's chromium"
    export DEBIAN_FRONTEND=noninteractive
    if apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium fonts-liberation >/dev/null; then
        exit 0
    fi
fi
echo "browser: no Chromium here, so the browser tests are skipped. On Debian: apt-get install chromium fonts-liberation" >&2
