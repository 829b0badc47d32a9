#!/usr/bin/env bash
# Makes the folder of wheels that scripts/gpu_check.sh takes as WHEELS, for the Python of a machine
# with a GPU and without a network: fairseq built for that Python, this plugin, and what such a
# machine lacks. torch, numpy, scipy, sentencepiece, safetensors, tensorboard, matplotlib, pytest
# and triton are there already and are left out.
#
#   bash scripts/gpu_wheels.sh DIR                  for Python 3.12
#   bash scripts/gpu_wheels.sh DIR --python 3.11    for another
#
# That Python must be on this machine too, with its headers, beside a C++ compiler; PYTHON names it
# if it is not python3.12, python3 or pyenv's. Wheels that DIR holds already are replaced.
set -euo pipefail

usage() { sed -n '2,12s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 2; }
fail() { echo "gpu_wheels: error: $*" >&2; exit 1; }
step() { printf 'gpu_wheels: %3ds  %s\n' "$SECONDS" "$*"; }

LIMIT=40 # MB, of all wheels: they are carried along with the checkout
wanted=3.12
folder=
while [ $# -gt 0 ]; do
  case $1 in
    --python) [ $# -ge 2 ] || usage; wanted=$2; shift ;;
    -*) usage ;;
    *) [ -z "$folder" ] || usage; folder=$1 ;;
  esac
  shift
done
[ -n "$folder" ] || usage
case $wanted in
  3.1[0-3]) ;;
  *) fail "--python $wanted: fairseq is built for 3.10, 3.11, 3.12 and 3.13" ;;
esac
mkdir -p "$folder" || fail "cannot make $folder"
folder=$(CDPATH='' cd "$folder" && pwd)
CDPATH='' cd "$(dirname "${BASH_SOURCE[0]}")/.."

# Another environment's settings must not leak into this one; pip's own apply.
unset PYTHONPATH PYTHONHOME PIP_TARGET PIP_PREFIX
export PIP_USER=0 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_REQUIRE_VIRTUALENV=0

find_python() {
  local candidate
  for candidate in ${PYTHON:+"$PYTHON"} "python$wanted" python3 \
    "${PYENV_ROOT:-$HOME/.pyenv}/versions/$wanted".*/bin/python3; do
    if [ "$("$candidate" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)" = "$wanted" ]; then
      echo "$candidate"
      return
    fi
  done
  fail "no Python $wanted on this machine, for which fairseq is to be built; install one" \
    "(python.org, pyenv, uv python install $wanted) or set PYTHON=/path/to/python$wanted"
}
base=$(find_python)
"$base" -c 'import os, sys, sysconfig
sys.exit(not os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h")))' ||
  fail "$base has no Python.h, which fairseq's C++ parts need; on Debian or Ubuntu: apt install python$wanted-dev"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'echo "gpu_wheels: interrupted" >&2; exit 130' INT TERM
log=$work/log
made=$work/wheels
mkdir "$made"
pip() { # what is made, pip's arguments
  local what=$1
  shift
  "$work/venv/bin/python" -m pip "$@" >"$log" 2>&1 || {
    local cause
    cause=$(grep -E '^(ERROR|error):|fairseq build: ' "$log" | tail -n 1 || true)
    tail -n 20 "$log" >&2
    fail "$what failed (${cause:-no message}); check the network and pip's index settings"
  }
}

step "for $("$base" --version) ($base)"
"$base" -m venv "$work/venv" || fail "$base cannot make virtual environments"

step "what such a machine lacks"
binary=(bitarray colorama geomloss hydra-core lxml omegaconf packaging portalocker POT PyYAML regex
  sacrebleu tabulate tqdm)
pip "fetching ${binary[*]}" download --no-deps --only-binary :all: -c constraints.txt \
  --dest "$made" "${binary[@]}"
pip "building antlr4-python3-runtime" wheel --no-deps -c constraints.txt --wheel-dir "$made" \
  antlr4-python3-runtime

step "fairseq (about half a minute)"
pip "building fairseq" wheel --no-deps -c constraints.txt --wheel-dir "$made" ./third_party/fairseq
compiled=$("$base" - "$made" <<'PY'
import pathlib, sys, sysconfig, zipfile

(wheel,) = pathlib.Path(sys.argv[1]).glob("fairseq-*.whl")
suffix = sysconfig.get_config_var("EXT_SUFFIX")
print(sum(name.endswith(suffix) for name in zipfile.ZipFile(wheel).namelist()))
PY
)
if [ "$compiled" -eq 0 ] || ! command -v strip >/dev/null; then
  fail "fairseq's C++ parts were not built; install a C++ compiler (apt install g++)"
fi

step "fairseq_amber"
mkdir "$work/plugin" # built beside the checkout: what an older build left there stays out
cp -r fairseq_amber setup.py pyproject.toml "$work/plugin"
pip "building fairseq_amber" wheel --no-deps --wheel-dir "$made" "$work/plugin"

step "stripping what debuggers alone read" # of POT four fifths
pip "fetching wheel" install wheel
for wheel in "$made"/{[Pp][Oo][Tt],fairseq}-[0-9]*.whl; do
  rm -rf "$work/unpacked"
  "$work/venv/bin/wheel" unpack --dest "$work/unpacked" "$wheel" >"$log" 2>&1 || fail "cannot unpack $wheel"
  find "$work/unpacked" -name '*.so' -exec strip --strip-debug {} +
  rm "$wheel"
  "$work/venv/bin/wheel" pack --dest-dir "$made" "$work"/unpacked/* >"$log" 2>&1 || fail "cannot pack $wheel"
done

size=$(cat "$made"/*.whl | wc -c)
[ "$size" -lt $((LIMIT * 1000000)) ] ||
  fail "$((size / 1000000)) MB of wheels, more than the $LIMIT that are carried"
rm -f "$folder"/*.whl
mv "$made"/*.whl "$folder"
step "$(find "$folder" -name '*.whl' | wc -l) wheels, $((size / 100000 / 10)).$((size / 100000 % 10)) MB: $folder"
echo "gpu_wheels: on the machine with the GPU: PYTHON=python$wanted WHEELS=$(basename "$folder") bash scripts/gpu_check.sh"
