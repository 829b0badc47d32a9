#!/usr/bin/env bash
# Sets up what is missing, then checks style, types and shell scripts, and runs the tests.
#
#   bash scripts/test.sh                     everything, a process for each core
#   bash scripts/test.sh tests/objectives    arguments go to pytest (-n 0: one process)
#   bash scripts/test.sh --loose             the tests with the newest version of everything in
#                                            place of constraints.txt, in .venv-loose (remove it
#                                            for still newer ones)
#
# AMBER_DATA, if set, names the folder with real text that the tests marked "data" read.
[ -n "${BASH_VERSION:-}" ] || { echo "test: error: sh is too little: bash $0" >&2; exit 2; }
set -euo pipefail
CDPATH='' cd "$(dirname "${BASH_SOURCE[0]}")/.."

loose=no
if [ "${1:-}" = --loose ]; then
  loose=yes
  shift
  # the recipes that the tests run look for the same environment
  export AMBER_VENV=${AMBER_VENV:-.venv}-loose AMBER_VERSIONS=newest
fi

bash scripts/setup.sh --test
export PATH="$PWD/${AMBER_VENV:-.venv}/bin:$PATH"
# tiny models on few cores: one thread a process is several times faster
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"

# a newer linter's new opinions are no fault of the code
if [ "$loose" = no ]; then
  ruff check .
  ruff format --check .
  mypy
  shellcheck scripts/*.sh .ci/run
fi
# the tests of a file stay together, because they share what is dear to make
exec python -m pytest --numprocesses auto --dist loadfile --no-loadscope-reorder "$@"
