#!/usr/bin/env bash
# From nothing to a trained, measured AMBER: sets up, writes a synthetic demo corpus, prepares it,
# trains amber_tiny with MLM alone and with all of AMBER's objectives for the same updates, and
# shows what alignment did. About six minutes on two CPU cores after installation; no GPU needed.
#
#   bash scripts/quickstart.sh
#
# Interrupted, the same command continues. Remove runs/quickstart and data-bin/quickstart to start
# over.
[ -n "${BASH_VERSION:-}" ] || { echo "quickstart: error: sh is too little: bash $0" >&2; exit 2; }
set -euo pipefail
CDPATH='' cd "$(dirname "${BASH_SOURCE[0]}")/.."

UPDATES=${UPDATES:-1200}         # optimiser steps of each model
VOCAB_SIZE=${VOCAB_SIZE:-2000}   # subwords, over all four languages
UPDATE_TOKENS=${UPDATE_TOKENS:-4000} # subwords in an update, over all passes
MAX_TOKENS=${MAX_TOKENS:-$UPDATE_TOKENS} # subwords that the device holds at once; fewer change nothing
LR=${LR:-0.002}                  # peak learning rate; twice as much is unstable
TRAIN_SENTENCES=${TRAIN_SENTENCES:-20000}  # sentence pairs per language pair
MONO_SENTENCES=${MONO_SENTENCES:-10000}    # sentences per language
VALID_SENTENCES=${VALID_SENTENCES:-500}    # of both, which the losses of validation are measured on
TEST_SENTENCES=${TEST_SENTENCES:-1000}     # held-out pairs that are measured, per language pair
SEED=${SEED:-1}
OUT=${OUT:-runs/quickstart}
DATA=${DATA:-data-bin/quickstart}

bash scripts/setup.sh
export PATH="$PWD/${AMBER_VENV:-.venv}/bin:$PATH"
export OMP_NUM_THREADS=1  # a tiny model gains nothing from more: the two train side by side
# said by fairseq about its own code
export PYTHONWARNINGS="ignore::UserWarning,ignore::FutureWarning,ignore::DeprecationWarning"
say() { printf '\n== %4ds  %s\n' "$SECONDS" "$*"; }
stop() {
  trap - INT TERM
  # shellcheck disable=SC2046  # one argument for each job
  kill $(jobs -p) 2>/dev/null || true
  wait
  echo "quickstart: interrupted; the same command continues" >&2
  exit 130
}
trap stop INT TERM

say "a synthetic corpus in English, German, Turkish and Russian"
fairseq-amber demo-corpus "$OUT/corpus" --train-sentences "$TRAIN_SENTENCES" \
  --mono-sentences "$MONO_SENTENCES" --valid-sentences "$VALID_SENTENCES" \
  --test-sentences "$TEST_SENTENCES" --seed "$SEED"

say "binarised with one SentencePiece vocabulary"
fairseq-amber prepare "$OUT/corpus" "$DATA" --vocab-size "$VOCAB_SIZE" --seed "$SEED"

train() { # name, then the weights that make it
  local name=$1
  shift
  mkdir -p "$OUT/$name"
  exec fairseq-train "$DATA" --user-dir "$(fairseq-amber user-dir)" \
    --task cross_lingual_alignment --tokens-per-sample 128 \
    --update-tokens "$UPDATE_TOKENS" --max-tokens "$MAX_TOKENS" \
    --arch amber_tiny --dropout 0 --attention-dropout 0 --criterion amber "$@" \
    --optimizer bert_adam --adam-betas '(0.9, 0.98)' --weight-decay 0.01 --clip-norm 1.0 \
    --lr "$LR" --lr-scheduler polynomial_decay --warmup-updates $((UPDATES / 10)) \
    --total-num-update "$UPDATES" --max-update "$UPDATES" --seed "$SEED" --cpu \
    --save-dir "$OUT/$name" --no-epoch-checkpoints \
    --save-interval-updates 300 --keep-interval-updates 1 \
    --tensorboard-logdir "$OUT/$name/tensorboard" --log-interval 50 --log-format simple \
    >>"$OUT/$name/train.log" 2>&1
}

follow() { # name, process: its last log line when there is a new one, until it ends; its status
  local line last=""
  while kill -0 "$2" 2>/dev/null; do
    sleep 1
    line=$(grep -oE 'train_inner \|.*' "$OUT/$1/train.log" | tail -n 1 | cut -c1-160 || true)
    [ "$line" = "$last" ] || echo "${line/#train_inner | epoch/$1 epoch}"
    last=$line
  done
  wait "$2" || { echo "quickstart: training $1 failed; $OUT/$1/train.log ends:" >&2
    tail -n 3 "$OUT/$1/train.log" >&2; exit 1; }
}

say "training MLM alone and AMBER for $UPDATES updates each, side by side"
train mlm --tlm-weight 0 --wa-weight 0 --sa-weight 0 &
mlm=$!
train amber &
amber=$!
follow amber $amber
follow mlm $mlm

evaluate() { # name, checkpoint, further flags
  local name=$1 checkpoint=$2
  shift 2
  say "measuring $name on held-out word combinations"
  fairseq-amber retrieve "$checkpoint" --data "$DATA" --folder "$OUT/corpus" --split test \
    --name "$name" --json "$OUT/results/$name.retrieval.json" "$@"
  # the last layer is the one whose states were trained
  fairseq-amber align "$checkpoint" --data "$DATA" --folder "$OUT/corpus" --split test \
    --layer -1 --output "$OUT/alignments/$name" "$@"
  fairseq-amber aer "$OUT/alignments/$name" "$OUT/corpus" \
    --name "$name" --json "$OUT/results/$name.aer.json"
}

mkdir -p "$OUT/results" "$OUT/alignments"
evaluate untrained "$OUT/amber/checkpoint_last.pt" --reinitialize "$SEED"
evaluate MLM "$OUT/mlm/checkpoint_last.pt"
evaluate AMBER "$OUT/amber/checkpoint_last.pt"

say "what alignment did"
fairseq-amber align "$OUT/amber/checkpoint_last.pt" --data "$DATA" --layer -1 \
  --source "$OUT/corpus/test.de-en.de" --target "$OUT/corpus/test.de-en.en" \
  --output "$OUT/alignments/de-en.align" --plot 1 "$OUT/alignment.png"
fairseq-amber report "$OUT"/results/{untrained,MLM,AMBER}.{retrieval,aer}.json \
  --output "$OUT/report" --curves MLM="$OUT/mlm/tensorboard" --curves AMBER="$OUT/amber/tensorboard" \
  --heatmap "Similarity of AMBER's word states on a held-out pair; circles are the links=$OUT/alignment.png"
say "report: $OUT/report/report.md"
