#!/usr/bin/env bash
# Goes on from a pretrained XLM-R or mBERT with all of AMBER's objectives on your text, measures the
# result, and writes it for Hugging Face.
#
#   bash scripts/continue_xlmr.sh PRETRAINED RAW NAME
#   PRECISION=--bf16 UPDATES=20000 bash scripts/continue_xlmr.sh xlmr.base RAW NAME
#
# PRETRAINED is a folder of fairseq's XLM-R (model.pt, dict.txt, sentencepiece.bpe.model), one of
# Hugging Face's XLM-R or BERT, or one that fairseq-amber convert wrote; RAW holds text as for
# pretrain_amber.sh, whose settings work here, but for the vocabulary and RESTORE. data-bin/NAME gets
# the text in the model's own subwords, runs/NAME/hugging-face the end. Interrupted, the same command
# continues.
[ -n "${BASH_VERSION:-}" ] || { echo "continue_xlmr: error: sh is too little: bash $0" >&2; exit 2; }
set -euo pipefail
[ $# -eq 3 ] || { sed -n '2,13s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 2; }
PRETRAINED=$1
RAW=$2
NAME=$3
# shellcheck source=scripts/recipe_functions.sh
. "$(dirname "${BASH_SOURCE[0]}")/recipe_functions.sh"
run_names NAME
for given in SENTENCEPIECE RESTORE VOCAB_SIZE; do
  [ -z "${!given:-}" ] || refuse "$given=${!given}: PRETRAINED has its own; leave $given out"
done
paths PRETRAINED RAW DATA TATOEBA GOLD
models PRETRAINED
one_of SCHEDULE polynomial_decay constant
CDPATH='' cd "$(dirname "${BASH_SOURCE[0]}")/.."

export UPDATES=${UPDATES:-20000} LR=${LR:-5e-5} # a tenth of what starts from nothing
export MAX_TOKENS=${MAX_TOKENS:-4096} UPDATE_TOKENS=${UPDATE_TOKENS:-16384}
POOLING=${POOLING:-mean}                 # what sentence-transformers is told to take: mean or cls

one_of POOLING mean cls
bash scripts/setup.sh
export PATH="$PWD/${AMBER_VENV:-.venv}/bin:$PATH"
OUT=runs/$NAME
trap 'echo "continue_xlmr: interrupted; the same command continues" >&2; exit 130' INT TERM

RESTORE=$PRETRAINED bash scripts/pretrain_amber.sh "$RAW" "$NAME"

rm -rf "$OUT/hugging-face"
fairseq-amber convert "$OUT/checkpoint_last.pt" "$OUT/hugging-face" --data "${DATA:-data-bin/$NAME}" \
  --pooling "$POOLING"
