#!/usr/bin/env bash
# Proves this project on one NVIDIA GPU and measures it there, in at most eight minutes: the card,
# the tests of tests/gpu, training in three precisions, speed. No network and no .venv are needed.
#
#   bash scripts/gpu_check.sh                          results in gpu_check/
#   PYTHON=python3.12 WHEELS=wheels bash scripts/gpu_check.sh OUT
#   bash scripts/gpu_check.sh OUT --only tests         one stage: card, tests, training or speed
#   bash scripts/gpu_check.sh OUT --toy                a rehearsal on toy sizes, also on a CPU
#
# Each stage has a limit and writes what it finds at once; what fails or is cut ends no other. OUT
# holds a Markdown and a JSON file a stage, named by card and date, to be copied to
# benchmarks/results/, and a summary. The exit status is 0 if all stages passed.
#
# Variables:
#   PYTHON    the Python to use, with torch 2.11 or newer, numpy and pytest (default: python3)
#   WHEELS    a folder of wheels for what that Python lacks, fairseq first of all: see
#             scripts/gpu_wheels.sh (default: fairseq is found on the path)
#   CARD_LIMIT, TESTS_LIMIT, TRAINING_LIMIT, SPEED_LIMIT    seconds that a stage may take
set -euo pipefail

STAGES=(card tests training speed)
# 450 s together; with wheels, kills and the summary less than 480
declare -A LIMITS=(
  [card]=${CARD_LIMIT:-45} [tests]=${TESTS_LIMIT:-115}
  [training]=${TRAINING_LIMIT:-100} [speed]=${SPEED_LIMIT:-190})

usage() { sed -n '2,18s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 2; }
fail() { echo "gpu_check: error: $*" >&2; exit 2; }
say() { printf 'gpu_check: %3ds  %s\n' "$SECONDS" "$*"; }

out=
only=
toy=()
while [ $# -gt 0 ]; do
  case $1 in
    --only)
      [ $# -ge 2 ] || usage
      only=$2
      case " ${STAGES[*]} " in
        *" $only "*) ;;
        *) fail "no stage is named $only: take one of ${STAGES[*]}" ;;
      esac
      shift ;;
    --toy) toy=(--toy) ;;
    -*) usage ;;
    *) [ -z "$out" ] || usage; out=$1 ;;
  esac
  shift
done

root=$(CDPATH='' cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
out=${out:-$root/gpu_check}
mkdir -p "$out" || fail "cannot make $out"
out=$(CDPATH='' cd "$out" && pwd)
python=$(command -v "${PYTHON:-python3}") || fail "no ${PYTHON:-python3} on this machine: set PYTHON"
[[ $python = /* ]] || python=$PWD/$python
work=$(mktemp -d)
child=
# shellcheck disable=SC2329  # called by the trap
end() { # what was started, and what it wrote
  [ -z "$child" ] || kill -TERM "$child" 2>/dev/null || true
  rm -rf "$work" 2>/dev/null || true
}
trap end EXIT
trap 'echo "gpu_check: interrupted; $out keeps what was finished" >&2; exit 130' INT TERM

# Another environment's settings must not leak into this one, nor this one's into the home.
unset PYTHONHOME
export PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 HF_HUB_OFFLINE=1
export TRITON_CACHE_DIR=$work/triton MPLCONFIGDIR=$work/matplotlib XDG_CACHE_HOME=$work/cache
[ -n "${HOME:-}" ] && [ -w "$HOME" ] || export HOME=$work
export CUDA_VISIBLE_DEVICES=${CUDA_VISIBLE_DEVICES-0} # one GPU, where there are several
# said by fairseq about its own code
export PYTHONWARNINGS="ignore::UserWarning,ignore::FutureWarning,ignore::DeprecationWarning,ignore::SyntaxWarning"

path=$root
if [ -n "${WHEELS:-}" ]; then
  wheels=()
  for wheel in "$WHEELS"/*.whl; do
    case ${wheel##*/} in
      torch-* | triton-* | nvidia_* | numpy-* | scipy-*) ;; # those of the machine fit its driver
      *) [ ! -e "$wheel" ] || wheels+=("$wheel") ;;
    esac
  done
  [ ${#wheels[@]} -gt 0 ] || fail "$WHEELS holds no wheels: scripts/gpu_wheels.sh makes them"
  say "${#wheels[@]} wheels of $WHEELS"
  PIP_USER=0 PIP_CONFIG_FILE=/dev/null "$python" -m pip install --quiet --no-index --no-deps \
    --no-compile --no-cache-dir --disable-pip-version-check --upgrade --target "$work/site" \
    "${wheels[@]}" >"$work/pip.log" 2>&1 ||
    fail "cannot install the wheels of $WHEELS: $(grep -E '^ERROR' "$work/pip.log" | head -n 1)"
  path=$path:$work/site
fi
export PYTHONPATH=$path${PYTHONPATH:+:$PYTHONPATH}
cd "$root"

missing=$("$python" - 2>&1 <<'PY'
import importlib.util

names = "torch numpy tqdm sentencepiece safetensors omegaconf hydra bitarray regex sacrebleu fairseq pytest"
print(*(name for name in names.split() if importlib.util.find_spec(name) is None))
PY
) || fail "$python does not work: $missing"
[ -z "$missing" ] ||
  fail "$python lacks $missing: install them, or set WHEELS to the folder that scripts/gpu_wheels.sh makes"
if [ ${#toy[@]} -eq 0 ]; then
  said=$("$python" - 2>&1 <<'PY'
import sys
import torch

if not torch.cuda.is_available():
    sys.exit(f"torch {torch.__version__} finds no CUDA GPU; --toy rehearses on the CPU")
PY
) || fail "${said##*$'\n'}"
fi

stages=()
stage() { # name, the file that does it, its further arguments
  local name=$1 file=$2 limit=${LIMITS[$1]} begin=$SECONDS status=0
  shift 2
  [ -z "$only" ] || [ "$only" = "$name" ] || return 0
  say "$name, at most $limit s"
  timeout --kill-after 5 "$limit" "$python" "benchmarks/gpu/$file.py" \
    --output "$out" ${toy[@]+"${toy[@]}"} "$@" >"$work/$name.log" 2>&1 &
  child=$!
  wait "$child" || status=$?
  kill -KILL -- "-$child" 2>/dev/null || true # what it started and left: the next wants the memory
  child=
  stages+=("$name=$status=$((SECONDS - begin))")
  [ "$status" -eq 0 ] || {
    say "$name did not pass (status $status); its output ends:"
    tail -n 15 "$work/$name.log" >&2
  }
}

matrix_rate() { # of the card, as just measured
  local file
  file=$(find "$out" -name 'card-*.json' -newer "$work/begin" | head -n 1)
  [ -z "$file" ] || "$python" - "$file" <<'PY'
import json
import sys

with open(sys.argv[1], encoding="utf-8") as file:
    rate = json.load(file)["values"].get("matrix_rate_bf16")
print(f"--matrix-rate {rate}" if rate else "")
PY
}

touch "$work/begin"
stage card card
stage tests gpu_tests
stage training training
room=() # what speed measures, beside starting, takes less than its limit
[ ${#toy[@]} -gt 0 ] || room=(--seconds $((LIMITS[speed] - 25)))
# shellcheck disable=SC2046  # a flag and its value, or nothing
stage speed speed ${room[@]+"${room[@]}"} $(matrix_rate)

status=0
"$python" benchmarks/gpu/summary.py --output "$out" ${toy[@]+"${toy[@]}"} --logs "$work" \
  "${stages[@]}" || status=1
say "results: $out"
exit "$status"
