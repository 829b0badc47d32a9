#!/usr/bin/env bash
# The AMBER paper (arXiv 2010.07972) with its own settings: stage 1, MLM; stage 2 from there, with
# +TLM, +WA and +SA; then POS, PAWS-X, XNLI and Tatoeba, each over the languages of its table.
#
#   DRY_RUN=1 XTREME=... TATOEBA=... bash scripts/paper_amber.sh RAW NAME       prints the commands
#   MBERT=... XTREME=... TATOEBA=... bash scripts/paper_amber.sh RAW NAME       on one machine
#   SCALE=tiny XTREME=... TATOEBA=... bash scripts/paper_amber.sh RAW NAME      a rehearsal, on a CPU
#
# RAW is as for pretrain_amber.sh, XTREME and TATOEBA as for xtreme.sh and retrieve, MBERT a folder of
# Hugging Face's bert-base-multilingual-cased, as it is. scripts/fetch_data.sh fills such folders. What is
# missing of XTREME, TATOEBA and GOLD is not measured. Interrupted, the same command continues, also
# on another number of GPUs. On several machines, run the printed commands of pretrain_amber.sh on
# each, with NODES, NODE_RANK and HEAD. runs/NAME holds everything.
#
# Sources: "paper" are tables and figures; "summary" a careful public summary of its text
# (Anwarvic/anwarvic.github.io @ 693bdd2); "BERT" google-research/bert @ eedf571, because the summary
# has "mBERT's default hyper-parameters"; "XLM" facebookresearch/XLM @ cd281d3; "XTREME"
# google-research/xtreme @ 838c13b. "Not known" is what no source says.
[ -n "${BASH_VERSION:-}" ] || { echo "paper_amber: error: sh is too little: bash $0" >&2; exit 2; }
set -euo pipefail
[ $# -eq 2 ] || { sed -n '2,20s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 2; }
RAW=$1
NAME=$2
# shellcheck source=scripts/recipe_functions.sh
. "$(dirname "${BASH_SOURCE[0]}")/recipe_functions.sh"
run_words NAME
paths RAW MBERT XTREME TATOEBA GOLD RESTORE
models MBERT RESTORE
new_paths DATA
one_of SCALE paper tiny
CDPATH='' cd "$(dirname "${BASH_SOURCE[0]}")/.."

if [ "${SCALE:-paper}" = tiny ]; then # the whole road in a minute or two
  : "${STAGE_1_UPDATES:=2}" "${STAGE_1_EXAMPLES:=16}" "${STAGE_2_UPDATES:=2}" "${STAGE_2_EXAMPLES:=16}"
  : "${WARMUP:=1}" "${LENGTH:=64}" "${MAX_TOKENS:=2000}" "${VOCAB_SIZE:=300}" "${SAVE_EVERY:=2}"
  : "${MODEL_FLAGS=--encoder-layers 2 --encoder-embed-dim 32 --encoder-ffn-embed-dim 64 --encoder-attention-heads 2 --max-positions 128}"
  : "${LAYERS:=1 -1}" "${EPOCHS:=1}" "${TASK_LANGUAGES=}" "${TATOEBA_PAIRS=}" "${WORKERS:=0}"
  export EPOCHS
fi
DRY_RUN=${DRY_RUN:-}                     # 1: print the commands, run nothing

# Text: Wikipedia, and the parallel text of XLM (summary), which XLM pairs with English:
#   ar es fr ru zh: MultiUN; bg: EUbookshop, Europarl; de el: EUbookshop; hi: IIT Bombay;
#   sw: Tanzil, GlobalVoices; th vi: OpenSubtitles 2018; tr: SETIMES2, Wikipedia, TED2013; ur: Tanzil
# (XLM, get-data-para.sh). The monolingual languages are mBERT's 104 (paper, section 2.1). XLM lowercases
# and strips accents; a cased vocabulary does not. Sizes are not known.
ALPHA=${ALPHA:-0.7}                      # of languages, BERT's multilingual.md; of pairs, not known
PARALLEL_SHARE=${PARALLEL_SHARE:-0.5}    # of stage 2's examples; not known
# 120K subwords (paper, section 2.1); whose is not known. Public mBERT's has 119,547: give MBERT.
MBERT=${MBERT:-}
VOCAB_SIZE=${VOCAB_SIZE:-120000}         # learnt from RAW where there is no MBERT
PREPARE_FLAGS=${PREPARE_FLAGS:-}
DATA=${DATA:-data-bin/$NAME}

# Architecture: mBERT, 12 layers of 768, 12 heads, 172M parameters (paper, section 2.1).
[ -z "${RESTORE:-}" ] || ARCH=${ARCH:-amber} # stage 1 goes on from RESTORE, in its shape
ARCH=${ARCH:-amber_mbert}
MODEL_FLAGS=${MODEL_FLAGS:-}
LENGTH=${LENGTH:-128}                    # not known; BERT: 128, then 512 for a tenth of the updates

# Stage 1: MLM from random weights, "AMBER (MLM), our mBERT": 1M updates of 8,192 (summary).
STAGE_1_UPDATES=${STAGE_1_UPDATES:-1000000}
STAGE_1_EXAMPLES=${STAGE_1_EXAMPLES:-8192} # rows of two segments, BERT's "sentence pairs"
# BERT's rows: segments of one document. No next sentence prediction: the summary has no such term.
STAGE_1_FLAGS=${STAGE_1_FLAGS-"--sentence-rows document --sentence-segments"}
# Stage 2: 1M updates of 2,048 (summary). That each variant starts anew from stage 1 is not stated.
STAGE_2_UPDATES=${STAGE_2_UPDATES:-1000000}
STAGE_2_EXAMPLES=${STAGE_2_EXAMPLES:-2048} # sentences and pairs
STAGE_2_FLAGS=${STAGE_2_FLAGS-"--sentence-rows document --sentence-segments"}
VARIANTS=${VARIANTS:-"mlm tlm wa sa"}    # rows of the tables (paper); mlm is stage 1 itself
# Weights are 1, WA's map is the last layer's, all heads, SA's vectors are means of the last layer
# compared by dot products, one direction (summary, figure 1): the defaults of the criterion amber.
# Masking is 15 %, 80/10/10 (BERT): the defaults of the task.

# Optimiser: BERT's (optimization.py). fairseq's Adam corrects the bias of its moments, BERT's does not.
LR=${LR:-1e-4}                           # of both stages not known; BERT's README
WARMUP=${WARMUP:-10000}                  # not known; BERT: 10,000
SCHEDULE=${SCHEDULE:-polynomial_decay}   # BERT: linear, to 0
ADAM_BETAS=${ADAM_BETAS:-"(0.9, 0.999)"} # BERT
ADAM_EPS=${ADAM_EPS:-1e-6}               # BERT
WEIGHT_DECAY=${WEIGHT_DECAY:-0.01}       # BERT: not of layer norms and biases
CLIP_NORM=${CLIP_NORM:-1.0}              # BERT
OPTIMIZER_FLAGS=${OPTIMIZER_FLAGS:-}     # further flags of the optimiser
SEED=${SEED:-1}                          # the number of runs is not known

# Fine-tuning on English by XTREME's settings: finetune_xtreme.sh.
XTREME=${XTREME:-}                       # the folder that XTREME's download_data.sh fills
TASKS=${TASKS:-"pos pawsx xnli"}         # besides Tatoeba, the tasks of the tables (paper)
# Languages of the averages (paper, the tables): 13, 5 and 15.
TASK_LANGUAGES=${TASK_LANGUAGES-"pos=ar,bg,de,el,en,es,fr,hi,ru,tr,ur,vi,zh pawsx=de,en,es,fr,zh \
xnli=ar,bg,de,el,en,es,fr,hi,ru,sw,th,tr,ur,vi,zh"}
SEEDS=${SEEDS:-1}                        # not known
# Tatoeba: from 14 languages into English by cosine (paper, summary). The layer is not known: XTREME
# takes the 8th of 12, SA trains the last.
TATOEBA=${TATOEBA:-}
TATOEBA_PAIRS=${TATOEBA_PAIRS-ara-eng,bul-eng,deu-eng,ell-eng,spa-eng,fra-eng,hin-eng,rus-eng,swh-eng,tha-eng,tur-eng,urd-eng,vie-eng,cmn-eng}
LAYERS=${LAYERS:-"8 -1"}
export GOLD=${GOLD:-} GOLD_PAIRS=${GOLD_PAIRS:-} # word alignments, which the paper does not measure

# The machine's; these change the speed alone.
export MAX_TOKENS=${MAX_TOKENS:-16384}   # subwords that a GPU holds, over all passes; bounds its memory
export PRECISION=${PRECISION:-}          # --fp16 or --bf16 on GPUs
export WORKERS=${WORKERS:-2} SAVE_EVERY=${SAVE_EVERY:-2000}
export PYTHONWARNINGS="ignore::UserWarning,ignore::FutureWarning,ignore::DeprecationWarning"

OUT=runs/$NAME
STEPS=$OUT/steps
each_of VARIANTS mlm tlm wa sa
each_of TASKS pos ner xnli pawsx squad mlqa tydiqa
one_of SCHEDULE polynomial_decay constant
whole_numbers 1 STAGE_1_UPDATES STAGE_1_EXAMPLES STAGE_2_UPDATES STAGE_2_EXAMPLES LENGTH VOCAB_SIZE \
  MAX_TOKENS SAVE_EVERY
whole_numbers 0 WARMUP SEED WORKERS
numbers ALPHA PARALLEL_SHARE LR ADAM_EPS WEIGHT_DECAY CLIP_NORM
for layer in $LAYERS; do
  [[ $layer =~ ^-?[1-9][0-9]*$ ]] || refuse "LAYERS has $layer, which is no number of a layer"
done
[ -z "${GPUS:-}" ] || whole_numbers 1 GPUS
[ -n "$DRY_RUN" ] || bash scripts/setup.sh
export PATH="$PWD/${AMBER_VENV:-.venv}/bin:$PATH"
trap 'echo "paper_amber: interrupted; the same command continues" >&2; exit 130' INT TERM

vocabulary=(--vocab-size "$VOCAB_SIZE" --vocab-alpha "$ALPHA") # mBERT's has S = 0.7, too
[ -z "${RESTORE:-}" ] || vocabulary=(--tokenizer "$RESTORE")
encoders=()
if [ -n "$MBERT" ]; then
  # the public mBERT of the tables, where it has the shape of the others
  case " $MODEL_FLAGS" in
    *" --encoder-"* | *" --max-positions"* | *" --token-types"*)
      echo "== MODEL_FLAGS have a shape of their own: MBERT gives its vocabulary, and is not measured" >&2 ;;
    *) encoders+=("mBERT=$OUT/mbert") ;;
  esac
  [ -n "$DRY_RUN" ] || mkdir -p "$OUT"
  linked_model "$MBERT" "$OUT/mbert"
  vocabulary=(--tokenizer "$OUT/mbert")
fi
# shellcheck disable=SC2086  # several words
step "$STEPS/prepare" fairseq-amber prepare "$RAW" "$DATA" "${vocabulary[@]}" $PREPARE_FLAGS

GPUS=${GPUS:-$(gpu_count)}
size() { # what, updates, examples, passes over a row of a sentence, over a row of a pair, share of pairs
  awk -v what="$1" -v updates="$2" -v examples="$3" -v one="$4" -v pair="$5" -v share="$6" \
    -v length_="$LENGTH" -v most="$MAX_TOKENS" -v gpus="$((GPUS > 0 ? GPUS : 1))" 'BEGIN {
    tokens = int(examples * length_ * ((1 - share) * one + share * pair))
    steps = int((tokens + most * gpus - 1) / (most * gpus))
    printf "== %s: %d updates of %d examples; if all rows are full, %d subwords over all passes, %d" \
      " steps of %d subwords on %s\n", what, updates, examples, tokens, steps, most,
      gpus == 1 ? "1 device" : gpus " devices" }'
}
optimiser=(LR="$LR" WARMUP="$WARMUP" SCHEDULE="$SCHEDULE" ADAM_BETAS="$ADAM_BETAS" ADAM_EPS="$ADAM_EPS"
  WEIGHT_DECAY="$WEIGHT_DECAY" CLIP_NORM="$CLIP_NORM" OPTIMIZER_FLAGS="$OPTIMIZER_FLAGS")
common=(TATOEBA='' ARCH="$ARCH" MODEL_FLAGS="$MODEL_FLAGS" LENGTH="$LENGTH" DATA="$DATA" SEED="$SEED"
  ALPHA="$ALPHA" PARALLEL_SHARE="$PARALLEL_SHARE" "${optimiser[@]}" MAX_TOKENS="$MAX_TOKENS"
  PRECISION="$PRECISION" WORKERS="$WORKERS" SAVE_EVERY="$SAVE_EVERY")

size "stage 1" "$STAGE_1_UPDATES" "$STAGE_1_EXAMPLES" 1 0 0
step "$STEPS/mlm" env "${common[@]}" UPDATES="$STAGE_1_UPDATES" UPDATE_EXAMPLES="$STAGE_1_EXAMPLES" \
  TLM=0 WA=0 SA=0 SYSTEM=MLM FLAGS="$STAGE_1_FLAGS ${FLAGS:-}" \
  bash scripts/pretrain_amber.sh "$RAW" "$NAME/mlm"
unset HEAD_UPDATES # the head has learnt in stage 1

for variant in $VARIANTS; do
  case $variant in # the name in the table, weights, passes over a pair
    mlm) system=MLM ;;
    tlm) system=+TLM weights=(TLM=1 WA=0 SA=0) passes=1 ;;
    wa) system=+WA weights=(TLM=1 WA=1 SA=0) passes=3 ;;
    sa) system=+SA weights=(TLM=1 WA=1 SA=1) passes=3 ;;
  esac
  encoders+=("$system=$OUT/$variant/checkpoint_last.pt")
  [ "$variant" != mlm ] || continue
  size "stage 2, $system" "$STAGE_2_UPDATES" "$STAGE_2_EXAMPLES" 1 "$passes" "$PARALLEL_SHARE"
  step "$STEPS/$variant" env "${common[@]}" UPDATES="$STAGE_2_UPDATES" \
    UPDATE_EXAMPLES="$STAGE_2_EXAMPLES" RESTORE="$OUT/mlm/checkpoint_last.pt" \
    "${weights[@]}" SYSTEM="$system" FLAGS="$STAGE_2_FLAGS ${FLAGS:-}" \
    bash scripts/pretrain_amber.sh "$RAW" "$NAME/$variant"
done

if [ -n "$TATOEBA" ]; then
  results=()
  for encoder in "${encoders[@]}"; do
    for layer in $LAYERS; do
      result=$OUT/tatoeba/${encoder%%=*}-$layer.json
      step "$STEPS/tatoeba-${encoder%%=*}-$layer" fairseq-amber retrieve "${encoder#*=}" --data "$DATA" \
        --folder "$TATOEBA" --split tatoeba ${TATOEBA_PAIRS:+--pairs "$TATOEBA_PAIRS"} \
        --layer "$layer" --name "${encoder%%=*}, layer $layer" --json "$result"
      results+=("$result")
    done
  done
  step "$STEPS/tatoeba" fairseq-amber report "${results[@]}" --output "$OUT/report-tatoeba"
fi
if [ -n "$XTREME" ]; then
  # The optimiser is that of pre-training.
  step "$STEPS/transfer" env -u LR -u WARMUP -u SCHEDULE -u ADAM_BETAS -u ADAM_EPS -u WEIGHT_DECAY \
    -u CLIP_NORM -u OPTIMIZER_FLAGS -u LENGTH -u FLAGS NAME="$NAME/transfer" XTREME="$XTREME" ENCODERS="${encoders[*]}" \
    DATA="$DATA" ARCH="$ARCH" MODEL_FLAGS="$MODEL_FLAGS" SETTINGS=xtreme TASKS="$TASKS" \
    TASK_LANGUAGES="$TASK_LANGUAGES" SEEDS="$SEEDS" DEAR='' bash scripts/xtreme.sh
fi
