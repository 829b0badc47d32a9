#!/usr/bin/env bash
# Makes .venv in this checkout, with everything fairseq_amber needs; completes or reuses one that
# is there. Touches nothing outside the checkout.
#
#   bash scripts/setup.sh            for training and evaluation
#   bash scripts/setup.sh --test     also for scripts/test.sh
#   . .venv/bin/activate             then use it
#
# Variables:
#   PYTHON            the Python to use (default: the first of python3, python3.13 ... python3.10
#                     that is 3.10 to 3.13)
#   TORCH_INDEX_URL   where to get torch: the index that pytorch.org's "Start Locally" page names
#                     for your system. On Linux without a GPU the one of its CPU build saves several
#                     GB (default: pip's own, which holds the CUDA build)
#   FAIRSEQ_SDIST     fairseq-0.12.2.tar.gz, if this machine cannot download it
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

extras="[wordpiece]"
case "${1:-}" in
  "") ;;
  --test) extras="[test,lint]" ;;
  *) echo "usage: bash scripts/setup.sh [--test]" >&2; exit 2 ;;
esac

venv=.venv
python=$venv/bin/python
log=$venv/setup.log

step() { printf 'setup: %4ds  %s\n' "$SECONDS" "$*"; }
fail() { printf 'setup: error: %s\n' "$*" >&2; exit 1; }
trap 'echo "setup: interrupted; the same command continues" >&2; exit 130' INT TERM

# What an installation depends on; it changes when the checkout is edited or moved.
fairseq_state=$(cat third_party/fairseq/*.* third_party/fairseq/stand_ins/*.py | cksum)
state="$PWD $fairseq_state $(cat setup.py constraints.txt scripts/setup.sh | cksum)"
recorded() { [ -e "$venv/amber-$1" ] && [ "$(cat "$venv/amber-$1")" = "$2" ]; }
record() { printf '%s' "$2" >"$venv/amber-$1"; }

if recorded complete "$state [test,lint]" || recorded complete "$state $extras"; then
  step "$venv is complete"
  exit 0
fi

# Another environment's settings must not leak into this one.
unset PYTHONPATH PYTHONHOME
export PIP_USER=0 PIP_DISABLE_PIP_VERSION_CHECK=1

supported() {
  "$1" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null
}

find_python() {
  local candidate
  if [ -n "${PYTHON:-}" ]; then
    supported "$PYTHON" || fail "PYTHON=$PYTHON is not a working Python 3.10 to 3.13"
    echo "$PYTHON"
    return
  fi
  for candidate in python3 python3.13 python3.12 python3.11 python3.10; do
    if supported "$candidate"; then echo "$candidate"; return; fi
  done
  fail "no Python 3.10 to 3.13 found; install one (python.org, pyenv, conda or the system's" \
    "packages) or set PYTHON=/path/to/python3"
}

make_venv() {
  local base
  base=$(find_python)
  "$base" -c 'import ensurepip, venv' 2>/dev/null ||
    fail "$base cannot make virtual environments; on Debian or Ubuntu: apt install python3-venv"
  step "making $venv with $("$base" --version) ($base)"
  "$base" -m venv --clear "$venv" ||
    fail "cannot make $PWD/$venv; is the disk full, or the checkout read-only?"
}

explain() {
  # One line for what failed, from the log.
  local cause remedy
  cause=$(grep -o 'fairseq build: .*' "$log" | tail -n 1 || true)
  [ -n "$cause" ] || cause=$(grep -E '^(ERROR|error):' "$log" | head -n 1 || true)
  if grep -qiE 'No space left|Errno 28|Disk quota' "$log"; then
    remedy="the disk is full: free some GB"
  elif grep -qE 'ConnectionError|Timeout|NameResolution|ProxyError|SSLError' "$log" ||
    grep -qE 'No matching distribution|ResolutionImpossible' "$log"; then
    remedy="check the network, the proxy and pip's index settings"
  else
    remedy="see docs/installation.md"
  fi
  fail "$1 failed (${cause:-no message}). Remedy: $remedy; the same command then continues." \
    "Log: $PWD/$log"
}

pip() { "$python" -m pip "$@" >"$log" 2>&1; }

has_gpu() { command -v nvidia-smi >/dev/null && nvidia-smi -L 2>/dev/null | grep -q '^GPU'; }

installed_version() {
  "$python" -c 'import importlib.metadata as m, sys; print(m.version(sys.argv[1]))' "$1" \
    2>/dev/null || true
}

check_disk() {
  # $1: GB that will be needed
  local free
  free=$(df -Pk . | awk 'NR == 2 { print int($4 / 1024 / 1024) }')
  [ "$free" -ge "$1" ] || fail "$free GB free in $PWD, about $1 GB are needed: free some space"
}

install_torch() {
  local version=$1
  if [ -n "${TORCH_INDEX_URL:-}" ]; then
    check_disk 3
    step "installing torch $version from $TORCH_INDEX_URL"
    pip install --no-deps "torch==$version" --index-url "$TORCH_INDEX_URL" ||
      explain "installing torch"
  elif [ "$(uname -s)" = Linux ] && ! has_gpu; then
    check_disk 3
    step "installing torch $version for the CPU (no NVIDIA GPU found)"
    pip install --no-deps "torch==$version+cpu" ||
      pip install --no-deps "torch==$version+cpu" --retries 1 --timeout 20 \
        --extra-index-url "$torch_cpu_index" || {
      step "no CPU build of torch within reach: installing the CUDA build (several GB)"
      check_disk 9
    }
  else
    step "installing torch $version"
    check_disk 9
  fi
  # what is still missing: all of it in the last two cases, and what it depends on
  pip install --no-deps "torch==$version" || explain "installing torch"
  pip install -c constraints.txt "torch==$version" || explain "installing torch"
}

# A venv that does not run, or was copied here from elsewhere, is made anew; one that was
# interrupted is continued.
if ! "$python" -c 'import pip' 2>/dev/null ||
  { [ -e "$venv/amber-home" ] && ! recorded home "$PWD"; }; then
  make_venv
elif ! supported "$python"; then
  fail "$PWD/$venv is $("$python" --version), not 3.10 to 3.13: move it away and run this again"
else
  step "completing $venv ($("$python" --version))"
fi
record home "$PWD"

torch_version=$(sed -n 's/^torch==//p' constraints.txt)
case "$(installed_version torch)" in
  "$torch_version" | "$torch_version+"*) ;;
  *) install_torch "$torch_version" ;;
esac

if ! recorded fairseq "$fairseq_state" || [ -z "$(installed_version fairseq)" ]; then
  step "building fairseq from third_party/fairseq (about half a minute)"
  rm -f "$venv/amber-fairseq"
  pip install -c constraints.txt ./third_party/fairseq || explain "building fairseq"
  record fairseq "$fairseq_state"
fi

step "installing fairseq_amber$extras and what it needs"
pip install -c constraints.txt -e ".$extras" || explain "installing fairseq_amber"

step "checking"
"$python" - <<'PY' || fail "the installation does not work; remove $PWD/$venv and run this again"
import logging
import platform
from importlib.util import find_spec

import torch
from fairseq_amber.environment import require_fairseq

logging.disable(logging.INFO)
fairseq = require_fairseq()
print(f"setup: Python {platform.python_version()}, torch {torch.__version__}, "
      f"fairseq {fairseq.__version__}")
if find_spec("fairseq.data.data_utils_fast").origin.endswith(".py"):
    print("setup: fairseq's C++ parts were not built (no C++ compiler or no Python.h): equal, "
          "slower ones in Python serve. To have them: install g++ and python3-dev, "
          "rm .venv/amber-*, run this again")
PY
record complete "$state $extras"
step "done; activate with: . $venv/bin/activate"
