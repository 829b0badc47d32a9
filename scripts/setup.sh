#!/usr/bin/env bash
# Makes .venv in this checkout, with everything fairseq_amber needs; completes or reuses one that
# is there. Outside the checkout it touches the package managers' own caches alone.
#
#   bash scripts/setup.sh            for training and evaluation
#   bash scripts/setup.sh --test     also for scripts/test.sh
#   . .venv/bin/activate             then use it
#
# Variables:
#   PYTHON            the Python to use (default: the first of python3, python3.13 ... python3.10
#                     that is 3.10 to 3.13)
#   TORCH_INDEX_URL   where to get torch: the index that pytorch.org's "Start Locally" page names
#                     for your system. Without it, on Linux without an NVIDIA GPU, torch's small CPU
#                     build is taken from pip's own index, or by uv from PyTorch's; where neither has
#                     it, and everywhere else, pip's own index gives what it has
#   FAIRSEQ_SDIST     fairseq-0.12.2.tar.gz, if this machine cannot download it
#   AMBER_VENV        another name for .venv, in the checkout
#   AMBER_VERSIONS    newest: the newest version of everything in place of those of constraints.txt
set -euo pipefail
# Each job has a process group of its own, so that an interruption ends pip with its children.
set -m
cd "$(dirname "${BASH_SOURCE[0]}")/.."

extras="[wordpiece]"
case "$#:${1:-}" in
  0:) ;;
  1:--test) extras="[test,lint]" ;;
  *) echo "usage: bash scripts/setup.sh [--test]" >&2; exit 2 ;;
esac

venv=${AMBER_VENV:-.venv}
python=$venv/bin/python
log=$venv/setup.log
report_every=30  # seconds

step() { printf 'setup: %4ds  %s\n' "$SECONDS" "$*"; }
fail() { printf 'setup: error: %s\n' "$*" >&2; exit 1; }

case "$venv" in
  */* | . | ..) fail "AMBER_VENV=$venv is not the name of a folder in the checkout" ;;
esac
case "${AMBER_VERSIONS:-tested}" in
  tested) constraints=(-c constraints.txt) torch="torch==$(sed -n 's/^torch==//p' constraints.txt)" ;;
  newest) constraints=(-c /dev/null) torch=torch ;;
  *) fail "AMBER_VERSIONS=$AMBER_VERSIONS is neither tested nor newest" ;;
esac

job="" ticker=""  # process groups: of the command at work, and of what reports on it
clean_up() { [ ! -d "$venv" ] || rm -rf "$venv/amber-tmp"; }
end_group() { [ -z "$2" ] || { kill "$1" -- "-$2" && wait "$2"; } 2>/dev/null || true; }
interrupted() {
  trap '' INT TERM
  end_group -KILL "$ticker"
  end_group -TERM "$job"
  echo "setup: interrupted; the same command continues" >&2
  exit 130
}
trap interrupted INT TERM
trap clean_up EXIT

# What an installation depends on; it changes when the checkout is edited or moved.
fairseq_state=$(cat third_party/fairseq/*.* third_party/fairseq/stand_ins/*.py | cksum)
plugin_state=$(cat setup.py constraints.txt scripts/setup.sh | cksum)
state="$PWD ${AMBER_VERSIONS:-tested} $fairseq_state $plugin_state"
recorded() { [ -e "$venv/amber-$1" ] && [ "$(cat "$venv/amber-$1")" = "$2" ]; }
record() { printf '%s' "$2" >"$venv/amber-$1"; }

if recorded complete "$state [test,lint]" || recorded complete "$state $extras"; then
  step "$venv is complete"
  exit 0
fi

# Another environment's settings must not leak into this one.
unset PYTHONPATH PYTHONHOME PIP_TARGET PIP_PREFIX PIP_ROOT
export PIP_USER=0 PIP_NO_INPUT=1 PIP_DISABLE_PIP_VERSION_CHECK=1
# What has no wheel is built with the tools that it names, whatever the pip of this Python is used to.
export PIP_USE_PEP517=1

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

# --- running a command, and saying what became of it

run() {
  # Runs a command with its output in the log; says every half minute that it is still at work.
  local status=0
  mkdir -p "$venv/amber-tmp"
  TMPDIR="$PWD/$venv/amber-tmp" "$@" </dev/null >"$log" 2>&1 &
  job=$!
  while sleep "$report_every"; do step "still at work: $(last_stage)"; done &
  ticker=$!
  wait "$job" || status=$?
  end_group -KILL "$ticker"
  job="" ticker=""
  return "$status"
}

last_stage() {
  grep -oE '(Downloading|Collecting|Installing|Building|Preparing) .*' "$log" |
    tail -n 1 | cut -c 1-100
}

pip() { run "$python" -m pip "$@"; }

free_megabytes() { df -Pk . | awk 'NR == 2 { print int($4 / 1024) }'; }

check_disk() {
  # $1: GB that will be needed
  local free
  free=$(($(free_megabytes) / 1024))
  [ "$free" -ge "$1" ] || fail "$free GB free in $PWD, about $1 GB are needed: free some space"
}

# On a full disk the log may have no room for the complaint.
disk_is_full() {
  grep -qiE 'No space left|Errno 28|Disk quota' "$log" || [ "$(free_megabytes)" -lt 100 ]
}

cause() {
  # What failed, in one line, from the log.
  local line
  line=$(grep -o 'fairseq build: .*' "$log" | tail -n 1 || true)
  # the last line of what a failed build printed
  [ -n "$line" ] || line=$(grep -B 1 -F '[end of output]' "$log" | head -n 1 || true)
  [ -n "$line" ] || line=$(grep -E '^ *(ERROR|error):' "$log" | head -n 1 || true)
  [ -n "$line" ] || line=$(grep -v '^ *$' "$log" | tail -n 1 || true)
  line=${line#"${line%%[! ]*}"}     # indented
  line=${line% (from versions:*} # dozens of them
  echo "${line:-no message}" | cut -c 1-200
}

explain() {
  local remedy
  if disk_is_full; then
    remedy="the disk is full: free some GB"
  elif grep -qE 'ConnectionError|Timeout|NameResolution|ProxyError|SSLError' "$log" ||
    grep -qE 'No matching distribution|ResolutionImpossible' "$log"; then
    remedy="check the network, the proxy and pip's index settings"
  else
    remedy="see docs/installation.md"
  fi
  fail "$1 failed ($(cause)). Remedy: $remedy; the same command then continues." \
    "Log: $PWD/$log"
}

# --- torch

installed_version() {
  "$python" -c 'import importlib.metadata as m, sys; print(m.version(sys.argv[1]))' "$1" \
    2>/dev/null || true
}

torch_is_installed() {
  local version
  version=$(installed_version torch)
  [ -n "$version" ] || return 1
  [ "$torch" = torch ] || [ "$torch" = "torch==${version%%+*}" ]
}

has_gpu() { command -v nvidia-smi >/dev/null && nvidia-smi -L 2>/dev/null | grep -q '^GPU'; }

attempt() {
  # $1: GB that will be needed, $2: what is fetched, and then the command that installs it.
  # A failure leads to the next attempt; a full disk would end that one, too.
  local gigabytes=$1 what=$2
  shift 2
  check_disk "$gigabytes"
  step "installing $torch $what"
  if "$@" && torch_is_installed; then return; fi
  ! disk_is_full || explain "installing torch"
  step "that failed ($(cause))"
  return 1
}

torch_by_uv() {
  # uv knows which of PyTorch's own indexes holds the CPU build.
  local uv=uv
  if ! command -v uv >/dev/null; then
    pip install "${constraints[@]}" --target "$PWD/$venv/amber-tmp/uv" uv || return
    uv=$PWD/$venv/amber-tmp/uv/bin/uv
    export UV_CACHE_DIR=$PWD/$venv/amber-tmp/uv-cache
  fi
  run "$uv" pip install --python "$python" --no-deps --torch-backend cpu "$torch"
}

torch_of_torch_index_url() {
  [ -n "${TORCH_INDEX_URL:-}" ] &&
    attempt 3 "from $TORCH_INDEX_URL (0.2 GB for a CPU build, up to 3 GB for CUDA)" \
      pip install --no-deps "$torch" --index-url "$TORCH_INDEX_URL"
}

torch_for_the_cpu() {
  [ "$(uname -s)" = Linux ] && ! has_gpu || return
  step "no NVIDIA GPU found: looking for torch's CPU build (0.2 GB to fetch, 1 GB on disk)"
  # pip takes a build by its name along with the version alone
  if [ "$torch" != torch ]; then
    attempt 3 "for the CPU from pip's own index" pip install --no-deps "$torch+cpu" && return
  fi
  attempt 3 "for the CPU by uv" torch_by_uv
}

torch_of_pips_index() {
  if [ "$(uname -sm)" = "Linux x86_64" ]; then
    attempt 9 "from pip's own index (the CUDA build: 3 GB to fetch, 5 GB on disk, a few minutes)" \
      pip install "${constraints[@]}" "$torch"
  else
    attempt 3 "from pip's own index (0.1 to 3 GB, according to the system)" \
      pip install "${constraints[@]}" "$torch"
  fi
}

install_torch() {
  torch_of_torch_index_url || torch_for_the_cpu || torch_of_pips_index ||
    explain "installing torch"
  # what it depends on
  pip install "${constraints[@]}" "$torch" || explain "installing torch"
}

# --- the way through

make_venv() {
  local base
  base=$(find_python)
  "$base" -c 'import ensurepip, venv' 2>/dev/null ||
    fail "$base cannot make virtual environments; on Debian or Ubuntu: apt install python3-venv"
  step "making $venv with $("$base" --version) ($base)"
  # marked as ours before anything is in it: an interruption does not make it somebody else's
  { rm -rf "$venv" && mkdir "$venv" && record home "$PWD" && run "$base" -m venv "$venv"; } ||
    fail "cannot make $PWD/$venv; is the disk full, or the checkout read-only?"
}

somebody_elses() {
  { [ -e "$venv" ] || [ -L "$venv" ]; } && [ ! -e "$venv/amber-home" ] &&
    [ -n "$(ls -A "$venv" 2>/dev/null || echo "a broken link")" ]
}

# Somebody else's environment is left alone. Of ours, one that does not run, or was copied here from
# elsewhere, is made anew; one that was interrupted is continued.
if somebody_elses; then
  fail "$PWD/$venv was not made by this script: move it away, or choose another name for ours, as in" \
    "AMBER_VENV=.venv-amber bash scripts/quickstart.sh"
elif ! recorded home "$PWD" || ! "$python" -c 'import pip' 2>/dev/null; then
  make_venv
elif ! supported "$python"; then
  fail "$PWD/$venv is $("$python" --version), not 3.10 to 3.13: move it away and run this again"
else
  step "completing $venv ($("$python" --version))"
fi

torch_is_installed || install_torch

if ! recorded fairseq "$fairseq_state" || [ -z "$(installed_version fairseq)" ]; then
  step "building fairseq from third_party/fairseq (about half a minute)"
  rm -f "$venv/amber-fairseq"
  pip install "${constraints[@]}" ./third_party/fairseq || explain "building fairseq"
  record fairseq "$fairseq_state"
fi

step "installing fairseq_amber$extras and what it needs"
pip install "${constraints[@]}" -e ".$extras" || explain "installing fairseq_amber"

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
          "rm .venv/amber-fairseq .venv/amber-complete, run this again")
PY
record complete "$state $extras"
step "done; activate with: . $venv/bin/activate"
