#!/usr/bin/env bash
# The paper on optimal transport (arXiv 2110.02887) with its own settings: mBERT fine-tuned on parallel
# text by WordOT, SubOT, WordOT*, LargeWordOT and L2; then XNLI and XQuAD from English labels with
# three seeds, with averages over the languages of the parallel text ("seen") and over all.
#
#   DRY_RUN=1 MBERT=... XTREME=... bash scripts/paper_ot.sh RAW NAME        prints the commands
#   MBERT=... XTREME=... bash scripts/paper_ot.sh RAW NAME
#   SCALE=tiny MBERT=... XTREME=... bash scripts/paper_ot.sh RAW NAME       a rehearsal, on a CPU
#
# RAW holds train.<lang>-en.<side>, MBERT is a folder of Hugging Face's bert-base-multilingual-cased (or
# of XLM-R) as it is, XTREME the folder that XTREME's download_data.sh fills; scripts/fetch_data.sh fills such
# folders. TATOEBA and GOLD are measured, too, where they are given. Interrupted, the same command
# continues. runs/NAME holds everything.
#
# Sources: the paper by section, table or appendix; "GeomLoss" 0.2.4, the paper's solver; "Cao" the
# public copies of the code of Cao et al. 2020, which the authors began from; "XTREME"
# google-research/xtreme. "Not known" is what no source says.
[ -n "${BASH_VERSION:-}" ] || { echo "paper_ot: error: sh is too little: bash $0" >&2; exit 2; }
set -euo pipefail
[ $# -eq 2 ] || { sed -n '2,18s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 2; }
RAW=$1
NAME=$2
# shellcheck source=scripts/recipe_functions.sh
. "$(dirname "${BASH_SOURCE[0]}")/recipe_functions.sh"
: "${MBERT:?names a folder of bert-base-multilingual-cased}"
run_words NAME
paths RAW MBERT XTREME TATOEBA GOLD LINKS L2_DATA
models MBERT
new_paths DATA
one_of SCALE paper tiny
CDPATH='' cd "$(dirname "${BASH_SOURCE[0]}")/.."

if [ "${SCALE:-paper}" = tiny ]; then # the whole road in a minute or two
  : "${PAIRS:=32}" "${BATCH_SCALE:=3}" "${LENGTH:=64}" "${SEEDS:=1}" "${EPOCHS:=1}" "${WORKERS:=0}"
  export EPOCHS
fi
DRY_RUN=${DRY_RUN:-}                     # 1: print the commands, run nothing

# Text (section on data, table 6): English is the target, the languages below the sources.
#   bg de el es fr: Europarl; ar ru zh: MultiUN; hi: IIT Bombay; th tr vi: OpenSubtitles; ur: Tanzil;
#   sw: Tanzil and GlobalVoices
LANGUAGES=${LANGUAGES:-"bg de el es fr"} # WordOT, SubOT, WordOT*, L2
LARGE_LANGUAGES=${LARGE_LANGUAGES:-"bg de el es fr ru ar zh hi th tr ur sw vi"} # LargeWordOT
# 250,000 pairs a language; table 4 has 1,000, 10,000 and 50,000, too. Longer texts are thinned out
# evenly. Every update has as many pairs of each language, and a text that ends begins anew: so that a
# shorter one is seen more than once, the paper's "upsampled".
PAIRS=${PAIRS:-250000}
WORD_BOUNDARIES=${WORD_BOUNDARIES:-moses} # words are Moses tokens, a word's state is its last subword's
PREPARE_FLAGS=${PREPARE_FLAGS:-}
DATA=${DATA:-data-bin/$NAME}

SYSTEMS=${SYSTEMS:-"WordOT SubOT WordOT-small LargeWordOT L2"} # WordOT-small: the paper's WordOT*
# The transport: half the squared distance, blur 0.05, GeomLoss's schedule (GeomLoss's defaults, which
# the paper takes), one problem for the pairs of a batch and of a language (appendix E; of a batch or of
# a sentence is not stated), last layer, uniform weights: the defaults of ot_alignment. Special tokens
# as points, the scale of the anchor and its reduction are not known: our defaults (Cao: yes; a mean
# over tokens and dimensions).
OT_FLAGS=${OT_FLAGS-"--ot-p 2 --ot-blur 0.05"}
ANCHOR=${ANCHOR:-1}                      # lambda (equation 2)
# L2 (Cao): links of FastAlign, in LINKS as train.<src>-<tgt>.align with a line for each pair of
# L2_DATA, prepared with --word-boundaries spaces; without LINKS the encoder's own links.
LINKS=${LINKS:-}
L2_DATA=${L2_DATA:-$DATA}
L2_FLAGS=${L2_FLAGS-"--l2-target-states frozen --l2-special-tokens --l2-reduction mse --anchor-reduction mse"} # Cao
LENGTH=${LENGTH:-256}                    # of a sentence in subwords; pairs with a longer one are left out:
                                         # not known (Cao: 64 words)

# Optimiser: Adam, 5e-5, one epoch (section on training). The rest is not known; these are Cao's.
LR=${LR:-5e-5}
ADAM_BETAS=${ADAM_BETAS:-"(0.9, 0.98)"}  # not known; Cao
ADAM_EPS=${ADAM_EPS:-1e-9}               # not known; Cao
WEIGHT_DECAY=${WEIGHT_DECAY:-0}          # not known; Cao
CLIP_NORM=${CLIP_NORM:-0}                # not known; Cao: none
SCHEDULE=${SCHEDULE:-constant}           # not known; Cao: constant after the warm-up
[ -z "${WARMUP:-}" ] || [ -z "${WARMUP_SHARE:-}" ] || refuse "give WARMUP or WARMUP_SHARE, not both"
WARMUP_SHARE=${WARMUP_SHARE:-10}         # percent of the updates; not known; Cao: 10
WARMUP=${WARMUP:-}                       # in its place: updates
OPTIMIZER_FLAGS=${OPTIMIZER_FLAGS:-}
MODEL_FLAGS=${MODEL_FLAGS:-}             # dropout is not known; Cao: on, BERT's 0.1, the default
FLAGS=${FLAGS:-}
ALIGN_SEED=${ALIGN_SEED:-1}              # whether the three seeds are of this stage, too, is not known
BATCH_SCALE=${BATCH_SCALE:-1}            # divides the batches below, for a rehearsal

# Fine-tuning on English by XTREME's settings: finetune_xtreme.sh. The paper calls XNLI's score F1,
# XTREME's is accuracy. For XLM-R the paper has LR 5e-6: TASK_SETTINGS="LR=5e-6".
XTREME=${XTREME:-}
TASKS=${TASKS:-"xnli squad"}             # squad also tests on XQuAD
SEEDS=${SEEDS:-"1 2 3"}                  # three seeds
TASK_SETTINGS=${TASK_SETTINGS:-}         # other settings of finetune_xtreme.sh
SEEN_XNLI=${SEEN_XNLI:-en,bg,de,el,es,fr} # of the average, English included (tables 1 and 2)
SEEN_SQUAD=${SEEN_SQUAD:-en,de,el,es}
TATOEBA=${TATOEBA:-} TATOEBA_PAIRS=${TATOEBA_PAIRS:-}
GOLD=${GOLD:-} GOLD_PAIRS=${GOLD_PAIRS:-}

# The machine's
export PRECISION=${PRECISION:-}          # not known
WORKERS=${WORKERS:-2}
export PYTHONWARNINGS="ignore::UserWarning,ignore::FutureWarning,ignore::DeprecationWarning"

OUT=runs/$NAME
STEPS=$OUT/steps
each_of SYSTEMS WordOT SubOT WordOT-small LargeWordOT L2
each_of TASKS pos ner xnli pawsx squad mlqa tydiqa
one_of SCHEDULE polynomial_decay constant
one_of WORD_BOUNDARIES punctuation spaces moses
whole_numbers 1 PAIRS BATCH_SCALE LENGTH
whole_numbers 0 WARMUP_SHARE ALIGN_SEED WORKERS
numbers ANCHOR LR ADAM_EPS WEIGHT_DECAY CLIP_NORM
[ "$WARMUP_SHARE" -le 100 ] || refuse "WARMUP_SHARE=$WARMUP_SHARE is above 100 percent"
[ -z "$WARMUP" ] || whole_numbers 0 WARMUP
[ -z "${GPUS:-}" ] || whole_numbers 1 GPUS
batches_of() { # system -> batch, of each language, and accumulation, the batches of an update
  # 24 pairs of each language, twice an update; less for want of memory in 8, three times (section on
  # training). L2: Cao has 8; as WordOT, so that the objective alone differs.
  case $1 in
    WordOT-small | LargeWordOT) batch=8 accumulation=3 ;;
    *) batch=24 accumulation=2 ;;
  esac
  [ "$BATCH_SCALE" -le "$batch" ] || refuse "BATCH_SCALE=$BATCH_SCALE leaves nothing of the $batch pairs of $1"
  batch=$((batch / BATCH_SCALE))
}
for system in $SYSTEMS; do
  batches_of "$system"
done
case " $SYSTEMS " in *" LargeWordOT "*) wanted="$LANGUAGES $LARGE_LANGUAGES" ;; *) wanted=$LANGUAGES ;; esac
pair_of() { # language -> its pair, as RAW calls it
  local pair
  for pair in "$1-en" "en-$1"; do
    ! text_file "$RAW/train.$pair.en" >/dev/null || { echo "$pair"; return; }
  done
  refuse "$RAW has neither train.$1-en.en nor train.en-$1.en: give other LANGUAGES and LARGE_LANGUAGES"
}
pairs_of() { # languages, in one word -> their pairs, between commas
  local language pair pairs=
  for language in $1; do
    pair=$(pair_of "$language") || return
    pairs+=${pairs:+,}$pair
  done
  echo "$pairs"
}
pairs_of "$wanted" >/dev/null
[ -n "$DRY_RUN" ] || bash scripts/setup.sh
export PATH="$PWD/${AMBER_VENV:-.venv}/bin:$PATH"
GPUS=${GPUS:-$(gpu_count)}
device=()
[ "$GPUS" -gt 0 ] || { device=(--cpu); GPUS=1; }
for system in $SYSTEMS; do
  batches_of "$system"
  [ $((accumulation % GPUS)) -eq 0 ] || refuse "$system has $accumulation batches an update, which $GPUS" \
    "GPUs cannot share: set CUDA_VISIBLE_DEVICES"
done
trap 'echo "paper_ot: interrupted; the same command continues" >&2; exit 130' INT TERM

START=$OUT/mbert
[ -n "$DRY_RUN" ] || mkdir -p "$OUT"
linked_model "$MBERT" "$START"
ARCH=${ARCH:-amber}                      # the shape is MBERT's
for language in $(tr ' ' '\n' <<<"$wanted" | sort -u); do
  pair=$(pair_of "$language")
  for side in "$language" en; do
    text=$RAW/train.$pair.$side
    [ -n "$DRY_RUN" ] || text=$(text_file "$text") || refuse "$RAW/train.$pair.$side is missing"
    # shellcheck disable=SC2016  # the inner bash expands it
    step "$STEPS/text-$pair.$side" bash -euc '. scripts/recipe_functions.sh
      mkdir -p "${2%/*}"; spread_lines "$0" "$1" >"$2"' \
      "$text" "$PAIRS" "$OUT/raw/train.$pair.$side"
  done
done
marks=()
[ "$WORD_BOUNDARIES" = punctuation ] || marks=(--word-boundaries "$WORD_BOUNDARIES")
# shellcheck disable=SC2086  # several words
step "$STEPS/prepare" fairseq-amber prepare "$OUT/raw" "$DATA" --tokenizer "$START" \
  --mono-from-parallel never ${marks[@]+"${marks[@]}"} $PREPARE_FLAGS

user_dir=$(fairseq-amber user-dir 2>/dev/null || echo fairseq_amber)
words=()
[ "$WORD_BOUNDARIES" = punctuation ] || words=(--word-boundaries "$WORD_BOUNDARIES")
checkpoints=("mBERT=$START")
for system in $SYSTEMS; do
  batches_of "$system"
  languages=$LANGUAGES text=$DATA
  # shellcheck disable=SC2206  # several words
  flags=(--criterion ot_alignment --anchor-weight "$ANCHOR" $OT_FLAGS)
  case $system in
    WordOT) flags+=(${words[@]+"${words[@]}"}) ;;
    SubOT) flags+=(--ot-points subwords) ;;
    WordOT-small) flags+=(${words[@]+"${words[@]}"}) ;;
    LargeWordOT)
      languages=$LARGE_LANGUAGES
      flags+=(${words[@]+"${words[@]}"}) ;;
    L2)
      # shellcheck disable=SC2206  # several words
      flags=(--criterion l2_alignment --anchor-weight "$ANCHOR" $L2_FLAGS)
      if [ -n "$LINKS" ]; then
        text=$L2_DATA flags+=(--l2-links "$LINKS" --l2-units words)
      else
        step "$STEPS/links" fairseq-amber align "$START" --corpus "$DATA" --split train \
          --layer -1 --units subwords --output "$OUT/links"
        flags+=(--l2-links "$OUT/links" --l2-units subwords)
      fi ;;
  esac
  updates=$(((PAIRS + batch * accumulation - 1) / (batch * accumulation)))
  optimizer_flags "$SCHEDULE" "${WARMUP:-$((updates * WARMUP_SHARE / 100))}" "$updates"
  pairs=$(pairs_of "$languages")
  count=$(wc -w <<<"$languages")
  echo "== $system: $updates updates of $((batch * accumulation)) pairs of each of $((count)) languages," \
    "in $accumulation batches, on $GPUS device(s)"
  # --from-pretrained also names the frozen encoder, at the start and on resuming alike.
  # fairseq-train takes the last of two equal flags: the *FLAGS, of several words, win.
  # shellcheck disable=SC2086
  step "$STEPS/$system" fairseq-train "$text" --user-dir "$user_dir" --task cross_lingual_alignment \
    --pairs "$pairs" --multilang-sampling-alpha 0 --tokens-per-sample "$LENGTH" --arch "$ARCH" \
    --from-pretrained "$START" "${flags[@]}" "${optimizer[@]}" \
    --batch-size $((batch * count)) --update-freq $((accumulation / GPUS)) --max-update "$updates" \
    --seed "$ALIGN_SEED" --num-workers "$WORKERS" ${device[@]+"${device[@]}"} --save-dir "$OUT/$system" \
    --disable-validation --no-epoch-checkpoints --save-interval-updates 1000 --keep-interval-updates 1 \
    --tensorboard-logdir "$OUT/$system/tensorboard" --log-format simple --log-interval 100 \
    $PRECISION $MODEL_FLAGS $OPTIMIZER_FLAGS $FLAGS
  checkpoints+=("$system=$OUT/$system/checkpoint_last.pt")
done

results=()
for checkpoint in "${checkpoints[@]}"; do
  system=${checkpoint%%=*}
  if [ -n "$TATOEBA" ]; then
    results+=("$OUT/measured/$system-tatoeba.json")
    step "$STEPS/tatoeba-$system" fairseq-amber retrieve "${checkpoint#*=}" --data "$DATA" \
      --folder "$TATOEBA" --split tatoeba ${TATOEBA_PAIRS:+--pairs "$TATOEBA_PAIRS"} \
      --name "$system" --json "$OUT/measured/$system-tatoeba.json"
  fi
  if [ -n "$GOLD" ]; then
    results+=("$OUT/measured/$system-aer.json")
    # the last layer is the one whose states were trained
    step "$STEPS/align-$system" fairseq-amber align "${checkpoint#*=}" --data "$DATA" --layer -1 \
      --folder "$GOLD" --split test ${GOLD_PAIRS:+--pairs "$GOLD_PAIRS"} --output "$OUT/measured/$system-alignments"
    step "$STEPS/aer-$system" fairseq-amber aer "$OUT/measured/$system-alignments" "$GOLD" \
      --name "$system" --json "$OUT/measured/$system-aer.json"
  fi
done
[ ${#results[@]} -eq 0 ] ||
  step "$STEPS/measured" fairseq-amber report "${results[@]}" --output "$OUT/report-alignment"

[ -n "$XTREME" ] || exit 0
# The optimiser is that of the alignment.
# shellcheck disable=SC2086  # several words
step "$STEPS/transfer" env -u LR -u WARMUP -u SCHEDULE -u ADAM_BETAS -u ADAM_EPS -u WEIGHT_DECAY \
  -u CLIP_NORM -u OPTIMIZER_FLAGS -u LENGTH -u FLAGS NAME="$NAME/transfer" XTREME="$XTREME" \
  ENCODERS="${checkpoints[*]}" DATA="$DATA" ARCH="$ARCH" MODEL_FLAGS="$MODEL_FLAGS" SETTINGS=xtreme \
  TASKS="$TASKS" TASK_LANGUAGES="" SEEDS="$SEEDS" DEAR="" $TASK_SETTINGS bash scripts/xtreme.sh
results=()
for task in $TASKS; do
  case $task in
    xnli) seen=$SEEN_XNLI ;;
    squad) seen=$SEEN_SQUAD ;;
    *) continue ;;
  esac
  for checkpoint in "${checkpoints[@]}"; do
    for seed in $SEEDS; do
      run=$OUT/transfer/$task-${checkpoint%%=*}/$seed
      step "$STEPS/seen-$task-${checkpoint%%=*}-$seed" fairseq-amber evaluate \
        "$run/checkpoint_best.pt" "$DATA-$task" --languages "$seen" --name "${checkpoint%%=*}" \
        --json "$run/seen.json"
      # none where the test files have blank labels
      if [ -n "$DRY_RUN" ] || [ -e "$run/seen.json" ]; then results+=("$run/seen.json"); fi
    done
  done
done
[ ${#results[@]} -eq 0 ] ||
  step "$STEPS/seen" fairseq-amber report "${results[@]}" --output "$OUT/report-seen"
echo "paper_ot: all languages: $OUT/transfer/report; seen languages: $OUT/report-seen"
