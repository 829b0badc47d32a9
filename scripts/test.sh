#!/usr/bin/env bash
# Sets up what is missing, then checks style and types and runs the tests.
#
#   bash scripts/test.sh                     everything, a process for each core
#   bash scripts/test.sh tests/objectives    arguments go to pytest (-n 0: one process)
#
# AMBER_DATA, if set, names the folder with real text that the tests marked "data" read.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

bash scripts/setup.sh --test
export PATH="$PWD/.venv/bin:$PATH"
# tiny models on few cores: one thread a process is several times faster
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"

ruff check .
ruff format --check .
mypy
# the tests of a file stay together, because they share what is dear to make
exec python -m pytest --numprocesses auto --dist loadfile --no-loadscope-reorder "$@"
