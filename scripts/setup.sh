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
[ -n "${BASH_VERSION:-}" ] || { echo "setup: error: sh is too little: bash $0" >&2; exit 2; }
set -euo pipefail
case "${PYTHON:-}" in [!/]*/*) PYTHON=$PWD/$PYTHON ;; esac
case "${FAIRSEQ_SDIST:-}" in [!/~]*) FAIRSEQ_SDIST=$PWD/$FAIRSEQ_SDIST ;; esac
CDPATH='' cd -P "$(dirname "${BASH_SOURCE[0]}")/.." # -P: one path, whichever link leads here

extras="[wordpiece]"
case "$#:${1:-}" in
  0:) ;;
  1:--test) extras="[test,lint,docs]" ;;
  *) echo "usage: bash scripts/setup.sh [--test]" >&2; exit 2 ;;
esac

venv=${AMBER_VENV:-.venv}
python=$venv/bin/python
log=$venv/setup.log
report_every=30  # seconds

step() { printf 'setup: %4ds  %s\n' "$SECONDS" "$*"; }
fail() { printf 'setup: error: %s\n' "$*" >&2; exit 1; }

case "$venv" in
  */* | . | .. | -*) fail "AMBER_VENV=$venv is not the name of a folder in the checkout" ;;
esac
case "${AMBER_VERSIONS:-tested}" in
  tested) constraints=(-c constraints.txt) torch="torch==$(sed -n 's/^torch==//p' constraints.txt)" ;;
  newest) constraints=(-c /dev/null) torch=torch ;;
  *) fail "AMBER_VERSIONS=$AMBER_VERSIONS is neither tested nor newest" ;;
esac

. scripts/setup_run.sh

# What an installation depends on; it changes when the checkout is edited or moved.
fairseq_state=$(cat third_party/fairseq/*.{py,toml} third_party/fairseq/stand_ins/*.py | cksum)
plugin_state=$(cat setup.py constraints.txt scripts/setup*.sh | cksum)
state="$PWD ${AMBER_VERSIONS:-tested} $fairseq_state $plugin_state"
recorded() { [ -e "$venv/amber-$1" ] && [ "$(cat "$venv/amber-$1")" = "$2" ]; }
record() { printf '%s' "$2" >"$venv/amber-$1"; }

runs() { "$1" -c 'import pip' 2>/dev/null; }
exit_if_complete() {
  recorded complete "$state [test,lint,docs]" || recorded complete "$state $extras" || return 0
  runs "$python" || return 0 # the Python that it was made with is gone
  step "$venv is complete"
  exit 0
}
exit_if_complete

# Another environment's settings must not leak into this one.
unset PYTHONPATH PYTHONHOME PIP_TARGET PIP_PREFIX PIP_ROOT PIP_PYTHON PIP_CONSTRAINT PIP_REQUIREMENT
unset PIP_NO_DEPS PIP_NO_BUILD_ISOLATION PIP_DRY_RUN
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

# all of the list is read: nvidia-smi must not fail for want of a reader
has_gpu() { [ -n "$(nvidia-smi -L 2>/dev/null | grep '^GPU' || true)" ]; }

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
  if [[ $(uv pip install --help 2>/dev/null || true) != *--torch-backend* ]]; then # none, or old
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
  "$base" -c 'import ensurepip, venv' 2>/dev/null ||
    fail "$base cannot make virtual environments; on Debian or Ubuntu:" \
      "apt install python$("$base" -c 'import sys; print("%d.%d" % sys.version_info[:2])')-venv"
  step "making $venv with $("$base" --version) ($base)"
  # Whenever this is interrupted, amber-home says that the folder is ours and not finished. The
  # folder itself stays: it may be a link to another disk.
  {
    mkdir -p "$venv" && find "$venv/" -mindepth 1 -maxdepth 1 ! -name amber-home -exec rm -rf {} + &&
      record home "$PWD" && run "$base" -m venv "$venv"
  } || fail "cannot make $PWD/$venv ($(cause)); is the disk full, or the checkout read-only?"
}

somebody_elses() {
  if [ -e "$venv/amber-home" ]; then
    [ -L "$venv" ] && ! recorded home "$PWD" # another checkout's
  else
    { [ -e "$venv" ] || [ -L "$venv" ]; } &&
      [ -n "$(ls -A "$venv" 2>/dev/null || echo "a broken link")" ]
  fi
}

# Two at once would spoil each other's work. The lock ends with this process.
lock='import fcntl, sys
try:
    fcntl.flock(9, fcntl.LOCK_EX | (fcntl.LOCK_NB if sys.argv[1:] else 0))
except BlockingIOError:
    sys.exit(1)
except OSError:
    pass  # a file system without locks'

wait_for_others() {
  exec 9<scripts/setup.sh
  "$base" -c "$lock" now && return
  step "another setup.sh is at work in this checkout: waiting for its end"
  "$base" -c "$lock" 3>&- &
  job=$!
  wait "$job"
  job=""
  exit_if_complete
}

# Somebody else's environment is left alone. Of ours, one that does not run, or was copied here from
# elsewhere, is made anew; one that was interrupted is continued.
if somebody_elses; then
  fail "$PWD/$venv was not made by this script for this checkout: move it away, or choose another" \
    "name for ours, as in AMBER_VENV=.venv-amber bash scripts/quickstart.sh"
fi
[ -w "$venv" ] || { [ ! -e "$venv" ] && [ -w . ]; } ||
  fail "this user may not write $PWD/$venv: remove what another user made, or copy the checkout"
base=$python
runs "$python" || base=$(find_python)
wait_for_others
if ! recorded home "$PWD" || ! runs "$python"; then
  [ "$base" != "$python" ] || base=$(find_python)
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
