#!/usr/bin/env bash
# Trains an AMBER on your text, from nothing or from a pretrained model, and measures it.
#
#   bash scripts/pretrain_amber.sh RAW NAME
#   ARCH=amber_base UPDATES=100000 PRECISION=--fp16 bash scripts/pretrain_amber.sh RAW NAME
#
# RAW holds {train,valid}.<src>-<tgt>.<lang> (aligned lines) and {train,valid}.<lang>; NAME names
# data-bin/NAME and runs/NAME. The same command on a CPU, one GPU, all GPUs of a machine, or several
# machines that share this folder (NODES, NODE_RANK, HEAD; docs/training.md): an update holds the same
# text everywhere, and more GPUs share out the work.
# Interrupted, the same command continues.
[ -n "${BASH_VERSION:-}" ] || { echo "pretrain_amber: error: sh is too little: bash $0" >&2; exit 2; }
set -euo pipefail
[ $# -eq 2 ] || { sed -n '2,11s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 2; }
RAW=$1
NAME=$2
# shellcheck source=scripts/recipe_functions.sh
. "$(dirname "${BASH_SOURCE[0]}")/recipe_functions.sh"
run_names NAME
paths RAW SENTENCEPIECE DATA RESTORE TATOEBA GOLD
models RESTORE
[ -z "${RESTORE:-}" ] || [ -n "${DATA:-}" ] || [ -z "${VOCAB_SIZE:-}" ] ||
  refuse "VOCAB_SIZE=$VOCAB_SIZE: RESTORE has its own vocabulary; leave VOCAB_SIZE out"
CDPATH='' cd "$(dirname "${BASH_SOURCE[0]}")/.."

# text
VOCAB_SIZE=${VOCAB_SIZE:-32000}          # subwords over all languages (mBERT: 120k, XLM-R: 250k)
SENTENCEPIECE=${SENTENCEPIECE:-}         # an existing model, such as XLM-R's, in place of VOCAB_SIZE
DATA=${DATA:-}                           # a prepared folder, in place of data-bin/NAME made from RAW
PREPARE_FLAGS=${PREPARE_FLAGS:-}         # such as "--character-coverage 0.9999" for Chinese
ALPHA=${ALPHA:-0.7}                      # sampling of languages and pairs, p^ALPHA (mBERT: 0.7)
PARALLEL_SHARE=${PARALLEL_SHARE:-0.5}    # share of the examples that are pairs (AMBER: not known)

# model
RESTORE=${RESTORE:-}                     # start from this model: a checkpoint, or a pretrained folder as it
                                         # is; the shape and the vocabulary are its own
HEAD_UPDATES=${HEAD_UPDATES:-0}          # of its language model head alone, beforehand: 1000 where RESTORE came
HEAD_LR=${HEAD_LR:-5e-3}                 # without one, and MLM would harm it otherwise (docs/training.md)
[ -z "$RESTORE" ] || ARCH=${ARCH:-amber}
ARCH=${ARCH:-amber_base}
MODEL_FLAGS=${MODEL_FLAGS:-}             # such as "--encoder-layers 6 --dropout 0.0"
LENGTH=${LENGTH:-256}                    # longest row in subwords; the model's limit caps it. XTREME's QA has
                                         # rows of 384: LENGTH=384 FLAGS="--sentence-rows block"

# objectives: weights, all 1 in the paper; 0 leaves a term out
MLM=${MLM:-1} TLM=${TLM:-1} WA=${WA:-1} SA=${SA:-1}
CRITERION_FLAGS=${CRITERION_FLAGS:-}     # such as "--sa-symmetric"

# optimisation
UPDATES=${UPDATES:-100000}
whole_numbers 1 UPDATES
WARMUP=${WARMUP:-$((UPDATES / 10))}
LR=${LR:-5e-4}                           # peak; BERT-size models from a checkpoint: 2e-5 to 1e-4
SCHEDULE=${SCHEDULE:-polynomial_decay}   # after the warm-up: down to 0 at UPDATES, or constant
ADAM_BETAS=${ADAM_BETAS:-"(0.9, 0.98)"}  # BERT: (0.9, 0.999)
ADAM_EPS=${ADAM_EPS:-1e-6}
WEIGHT_DECAY=${WEIGHT_DECAY:-0.01}
CLIP_NORM=${CLIP_NORM:-1.0}              # 0: none
OPTIMIZER_FLAGS=${OPTIMIZER_FLAGS:-}     # further flags of the optimiser and of its schedule
UPDATE_TOKENS=${UPDATE_TOKENS:-16384}    # subwords in an update, over all passes and devices
UPDATE_EXAMPLES=${UPDATE_EXAMPLES:-}     # in its place: sentences and pairs in an update (AMBER: 2048)
MAX_TOKENS=${MAX_TOKENS:-8192}           # subwords that a device holds at once, over all passes
PRECISION=${PRECISION:-}                 # --fp16 or --bf16 on GPUs
SEED=${SEED:-1}
WORKERS=${WORKERS:-2}                    # processes that make batches, for each device
SAVE_EVERY=${SAVE_EVERY:-2000}           # updates between checkpoints, each validated
FLAGS=${FLAGS:-}                         # further flags of fairseq-train

# machines
PROCESSES=${PROCESSES:-}                 # on each machine; default: one for each of its GPUs, else 1
NODES=${NODES:-${SLURM_NNODES:-1}}       # machines, each of which runs this command
NODE_RANK=${NODE_RANK:-${SLURM_NODEID:-0}} # which of them this is, from 0
HEAD=${HEAD:-}                           # host of machine 0, where there are several
PORT=${PORT:-29500}                      # a free port there

# evaluation at the end, where given
SYSTEM=${SYSTEM:-$NAME}                  # what the tables call this model
TATOEBA=${TATOEBA:-}                     # folder of tatoeba.<iso3>-eng.<iso3|eng>
TATOEBA_PAIRS=${TATOEBA_PAIRS:-}         # such as deu-eng,cmn-eng; default: all in the folder
GOLD=${GOLD:-}                           # folder of test.<src>-<tgt>.{<src>,<tgt>,gold}
GOLD_PAIRS=${GOLD_PAIRS:-}               # such as zh-en; default: all in the folder

if [ -n "${UPDATE_FREQ:-}" ]; then
  echo "pretrain_amber: UPDATE_FREQ follows from UPDATE_TOKENS, MAX_TOKENS and the number of GPUs: leave it out" >&2
  exit 2
fi
whole_numbers 1 LENGTH UPDATE_TOKENS MAX_TOKENS SAVE_EVERY NODES PORT
whole_numbers 0 WARMUP SEED WORKERS NODE_RANK HEAD_UPDATES
[ -n "$DATA$SENTENCEPIECE$RESTORE" ] || whole_numbers 1 VOCAB_SIZE
for given in UPDATE_EXAMPLES PROCESSES; do
  [ -z "${!given}" ] || whole_numbers 1 "$given"
done
numbers MLM TLM WA SA ALPHA PARALLEL_SHARE LR HEAD_LR ADAM_EPS WEIGHT_DECAY CLIP_NORM
optimizer_flags "$SCHEDULE" "$WARMUP" "$UPDATES"
[ "$HEAD_UPDATES" -eq 0 ] || [ -n "$RESTORE" ] || refuse "HEAD_UPDATES=$HEAD_UPDATES is for a RESTORE: give one"
update=(--update-tokens "$UPDATE_TOKENS")
[ -z "$UPDATE_EXAMPLES" ] || update=(--update-examples "$UPDATE_EXAMPLES")
[ "$NODES" -eq 1 ] || [ -n "$HEAD" ] || { echo "pretrain_amber: NODES=$NODES needs HEAD" >&2; exit 2; }
if [ "$NODE_RANK" -eq 0 ]; then
  bash scripts/setup.sh
else # machine 0 sets up the folder that all share
  echo "pretrain_amber: machine $NODE_RANK waits until machine 0 has set up ${AMBER_VENV:-.venv}"
  until "${AMBER_VENV:-.venv}/bin/fairseq-amber" user-dir >/dev/null 2>&1; do sleep 5; done
fi
export PATH="$PWD/${AMBER_VENV:-.venv}/bin:$PATH"
OUT=runs/$NAME
mkdir -p "$OUT"
trap 'echo "pretrain_amber: interrupted; the same command continues" >&2; exit 130' INT TERM

if [ -z "$DATA" ]; then
  DATA=data-bin/$NAME
  vocabulary=(--vocab-size "$VOCAB_SIZE")
  [ -z "$RESTORE" ] || vocabulary=(--tokenizer "$RESTORE")
  [ -z "$SENTENCEPIECE" ] || vocabulary=(--sentencepiece "$SENTENCEPIECE")
  # shellcheck disable=SC2086  # several words
  [ "$NODE_RANK" -ne 0 ] ||
    fairseq-amber prepare "$RAW" "$DATA" --vocab-alpha "$ALPHA" --seed "$SEED" $PREPARE_FLAGS \
      "${vocabulary[@]}"
fi

GPUS=$(gpu_count)
PROCESSES=${PROCESSES:-$((GPUS > 0 ? GPUS : 1))}
device=()
[ "$GPUS" -gt 0 ] || device=(--cpu)
launch=(fairseq-train)
if [ $((NODES * PROCESSES)) -gt 1 ]; then
  [ "$GPUS" -gt 0 ] || device+=(--distributed-backend gloo)
  launch=(torchrun --nproc_per_node "$PROCESSES")
  if [ "$NODES" -gt 1 ]; then
    # The others wait for machine 0, which may still be preparing the text.
    launch+=(--nnodes "$NODES" --node_rank "$NODE_RANK" --master_addr "$HEAD" --master_port "$PORT"
      --rdzv_conf timeout=86400)
  else
    launch+=(--standalone)
  fi
  launch+=("$(command -v fairseq-train)")
fi

train() { # folder, the model to begin from, updates, weights of WA and SA, more flags
  # fairseq-train takes the last of two equal flags: the *_FLAGS, of several words, win.
  # shellcheck disable=SC2086
  "${launch[@]}" "$DATA" --user-dir "$(fairseq-amber user-dir)" \
    --task cross_lingual_alignment --tokens-per-sample "$LENGTH" --max-tokens "$MAX_TOKENS" \
    --multilang-sampling-alpha "$ALPHA" --parallel-share "$PARALLEL_SHARE" \
    --arch "$ARCH" ${2:+--from-pretrained "$2"} \
    --criterion amber --mlm-weight "$MLM" --tlm-weight "$TLM" --wa-weight "$4" --sa-weight "$5" \
    "${optimizer[@]}" --max-update "$3" "${update[@]}" \
    $PRECISION --seed "$SEED" --num-workers "$WORKERS" ${device[@]+"${device[@]}"} \
    --save-dir "$1" --save-interval-updates "$SAVE_EVERY" --keep-interval-updates 1 \
    --validate-interval-updates "$SAVE_EVERY" --no-epoch-checkpoints \
    --tensorboard-logdir "$1/tensorboard" --log-format simple --log-interval 100 "${@:6}" \
    $MODEL_FLAGS $CRITERION_FLAGS $OPTIMIZER_FLAGS $FLAGS 2>&1 | tee -a "$1/train${NODE_RANK/#0/}.log"
}
if [ "$HEAD_UPDATES" -gt 0 ]; then
  [ -e "$OUT/head/complete" ] || (
    LR=$HEAD_LR
    optimizer_flags "$SCHEDULE" $((HEAD_UPDATES / 10)) "$HEAD_UPDATES"
    mkdir -p "$OUT/head"
    train "$OUT/head" "$RESTORE" "$HEAD_UPDATES" 0 0 --freeze-encoder
    touch "$OUT/head/complete"
  )
  RESTORE=$OUT/head/checkpoint_last.pt
fi
train "$OUT" "$RESTORE" "$UPDATES" "$WA" "$SA"
[ "$NODE_RANK" -eq 0 ] || exit 0

checkpoint=$OUT/checkpoint_last.pt
results=()
if [ -n "$TATOEBA" ]; then
  fairseq-amber retrieve "$checkpoint" --data "$DATA" --folder "$TATOEBA" --split tatoeba \
    ${TATOEBA_PAIRS:+--pairs "$TATOEBA_PAIRS"} --name "$SYSTEM" --json "$OUT/tatoeba.json"
  results+=("$OUT/tatoeba.json")
fi
if [ -n "$GOLD" ]; then
  # the last layer is the one whose states were trained
  fairseq-amber align "$checkpoint" --data "$DATA" --layer -1 --folder "$GOLD" --split test \
    ${GOLD_PAIRS:+--pairs "$GOLD_PAIRS"} --output "$OUT/alignments"
  fairseq-amber aer "$OUT/alignments" "$GOLD" --name "$SYSTEM" --json "$OUT/aer.json"
  results+=("$OUT/aer.json")
fi
if [ ${#results[@]} -gt 0 ]; then
  fairseq-amber report "${results[@]}" --output "$OUT/report" --curves "$NAME=$OUT/tensorboard"
fi
