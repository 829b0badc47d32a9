#!/usr/bin/env bash
# The paper's ablation at a scale of your choice: MLM, +TLM, +WA, +SA, each for the same updates and
# seeds on the same text; then Tatoeba accuracy both ways and word alignment error (AER), as mean and
# standard deviation over seeds.
#
#   AMBER_DATA=... bash scripts/ablation_amber.sh                     # on public sets: docs/results/data.md
#   RAW=... TATOEBA=... GOLD=... bash scripts/ablation_amber.sh       # your own; see pretrain_amber.sh
#
# RESTORE, a checkpoint or a pretrained folder as it is, is what each run begins from; its shape and its
# vocabulary take the place of those below. Where it comes without a language model head, give HEAD_UPDATES
# (pretrain_amber.sh). The settings below train four layers of 256 on two CPU cores. Interrupted, the same
# command continues; runs/ablation holds every run and runs/ablation/report the table.
[ -n "${BASH_VERSION:-}" ] || { echo "ablation_amber: error: sh is too little: bash $0" >&2; exit 2; }
set -euo pipefail
# shellcheck source=scripts/recipe_functions.sh
. "$(dirname "${BASH_SOURCE[0]}")/recipe_functions.sh"
paths RAW TATOEBA GOLD AMBER_DATA RESTORE
models RESTORE
[ -z "${RESTORE:-}" ] || [ -z "${VOCAB_SIZE:-}" ] ||
  refuse "VOCAB_SIZE=$VOCAB_SIZE: RESTORE has its own vocabulary; leave VOCAB_SIZE out"
new_paths DATA
one_of SCHEDULE polynomial_decay constant
CDPATH='' cd "$(dirname "${BASH_SOURCE[0]}")/.."

LANGUAGES=${LANGUAGES:-"fr ja ru zh"}    # of those in AMBER_DATA, each paired with English
export CORPORA=${CORPORA:-"tatoeba-anki tatoeba-mt wmt-newstest"}
RAW=${RAW:-}                             # text of your own, in place of AMBER_DATA's
TATOEBA=${TATOEBA:-${AMBER_DATA:-}/retrieval/tatoeba}
TATOEBA_PAIRS=${TATOEBA_PAIRS-fra-eng,jpn-eng,rus-eng,cmn-eng}
GOLD=${GOLD:-}                           # default: the gold word alignments in AMBER_DATA
GOLD_PAIRS=${GOLD_PAIRS-en-fr,ja-en,en-ru,zh-en}

SEEDS=${SEEDS:-"1 2 3"}
JOBS=${JOBS:-$(getconf _NPROCESSORS_ONLN)} # runs at once, one thread each; 1 on a GPU
OUT=runs/ablation
DATA=${DATA:-data-bin/ablation}

export RESTORE=${RESTORE:-}
if [ -n "$RESTORE" ]; then
  ARCH=${ARCH:-amber} MODEL_FLAGS=${MODEL_FLAGS-"--dropout 0 --attention-dropout 0"}
  vocabulary=(--tokenizer "$RESTORE")
else
  vocabulary=(--vocab-size "${VOCAB_SIZE:-12000}")
fi
PREPARE_FLAGS=${PREPARE_FLAGS:-"--character-coverage 0.9995"}
export ARCH=${ARCH:-amber_tiny}
export MODEL_FLAGS=${MODEL_FLAGS-"--encoder-layers 4 --encoder-embed-dim 256 --encoder-ffn-embed-dim 1024 --dropout 0 --attention-dropout 0"}
# Updates are counted in examples, so that all that read pairs read the same ones.
export UPDATE_EXAMPLES=${UPDATE_EXAMPLES:-48} MAX_TOKENS=${MAX_TOKENS:-20000} CRITERION_FLAGS=${CRITERION_FLAGS:-}
export LENGTH=${LENGTH:-128} UPDATES=${UPDATES:-600} LR=${LR:-1e-3} PARALLEL_SHARE=${PARALLEL_SHARE:-0.75}
export WORKERS=${WORKERS:-0} SAVE_EVERY=${SAVE_EVERY:-300}
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}
# said by fairseq about its own code
export PYTHONWARNINGS="ignore::UserWarning,ignore::FutureWarning,ignore::DeprecationWarning"

[ -n "$RAW" ] && [ -n "$GOLD" ] ||
  : "${AMBER_DATA:?names a folder with the sets of docs/results/data.md; or give RAW, TATOEBA and GOLD}"
[ -e "$TATOEBA" ] || refuse "TATOEBA=$TATOEBA does not exist: name the folder of its test sets"
whole_numbers 1 JOBS
bash scripts/setup.sh
export PATH="$PWD/${AMBER_VENV:-.venv}/bin:$PATH"
alone "$OUT"
trap 'echo "ablation_amber: interrupted; the same command continues" >&2; exit 130' INT TERM

if [ -z "$RAW" ]; then
  RAW=$OUT/raw
  amber_raw "$RAW"
fi
if [ -z "$GOLD" ]; then
  GOLD=$OUT/gold
  mkdir -p "$GOLD"
  ln -sf "$AMBER_DATA"/align_gold/{awesome-align-examples,xl-wa}/test.* "$GOLD"
fi
# shellcheck disable=SC2086  # several words
fairseq-amber prepare "$RAW" "$DATA" "${vocabulary[@]}" $PREPARE_FLAGS
export RAW TATOEBA TATOEBA_PAIRS GOLD GOLD_PAIRS DATA

# shellcheck disable=SC2016  # the inner bash expands it
for seed in $SEEDS; do
  # directory, name in the table, weights
  echo "$seed mlm MLM MLM=1 TLM=0 WA=0 SA=0"
  echo "$seed tlm +TLM MLM=1 TLM=1 WA=0 SA=0"
  echo "$seed wa +WA MLM=1 TLM=1 WA=1 SA=0"
  echo "$seed sa +SA MLM=1 TLM=1 WA=1 SA=1"
done | xargs -P "$JOBS" -L 1 bash -c '
  seed=$0 run=$1 system=$2
  shift 2
  echo "== $system, seed $seed"
  env "$@" SEED="$seed" SYSTEM="$system" \
    bash scripts/pretrain_amber.sh "$RAW" "ablation/$run-$seed" >"runs/ablation/$run-$seed.log" 2>&1 ||
    { echo "ablation_amber: failed: runs/ablation/$run-$seed.log ends:" >&2
      tail -n 3 "runs/ablation/$run-$seed.log" >&2; exit 255; }'

results=()
for run in mlm tlm wa sa; do
  for seed in $SEEDS; do
    results+=("$OUT/$run-$seed"/{tatoeba,aer}.json)
  done
done
first=${SEEDS%% *}
fairseq-amber report "${results[@]}" --output "$OUT/report" \
  --curves MLM="$OUT/mlm-$first/tensorboard" --curves +TLM="$OUT/tlm-$first/tensorboard" \
  --curves +WA="$OUT/wa-$first/tensorboard" --curves +SA="$OUT/sa-$first/tensorboard"
