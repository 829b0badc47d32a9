#!/usr/bin/env bash
# Fine-tunes an encoder on parallel text by optimal transport (arXiv 2110.02887), in several ways,
# and by L2 on word links (Cao et al. 2020); measures Tatoeba accuracy both ways and word alignment
# error (AER) before and after, as mean and standard deviation over seeds; draws a transport plan.
#
#   AMBER_DATA=... bash scripts/ot_finetune.sh                        # on public sets: docs/results/data.md
#   RAW=... TATOEBA=... GOLD=... bash scripts/ot_finetune.sh          # your own; see pretrain_amber.sh
#   CHECKPOINT=... RAW=... bash scripts/ot_finetune.sh                # from an encoder of yours
#
# CHECKPOINT is of fairseq-train, or a pretrained folder as it is, such as Hugging Face's XLM-R; RAW is
# prepared in its vocabulary, and DATA in place of RAW has been. Without CHECKPOINT an encoder of four layers of 256 is trained first, by MLM and TLM. Interrupted,
# the same command continues; OUT holds every run and OUT/report the table.
[ -n "${BASH_VERSION:-}" ] || { echo "ot_finetune: error: sh is too little: bash $0" >&2; exit 2; }
set -euo pipefail
# shellcheck source=scripts/recipe_functions.sh
. "$(dirname "${BASH_SOURCE[0]}")/recipe_functions.sh"
paths RAW TATOEBA GOLD AMBER_DATA CHECKPOINT TUNE
models CHECKPOINT
[ -z "${CHECKPOINT:-}" ] || [ -z "${VOCAB_SIZE:-}" ] ||
  refuse "VOCAB_SIZE=$VOCAB_SIZE: CHECKPOINT has its own vocabulary; leave VOCAB_SIZE out"
new_paths DATA OUT
CDPATH='' cd "$(dirname "${BASH_SOURCE[0]}")/.."

LANGUAGES=${LANGUAGES:-"de fr"}          # of those in AMBER_DATA, each paired with English
export CORPORA=${CORPORA:-tatoeba-anki}
RAW=${RAW:-}                             # text of your own, in place of AMBER_DATA's
TATOEBA=${TATOEBA:-${AMBER_DATA:-}/retrieval/tatoeba}
TATOEBA_PAIRS=${TATOEBA_PAIRS-deu-eng,fra-eng}
GOLD=${GOLD:-${AMBER_DATA:-}/align_gold/awesome-align-examples}
GOLD_PAIRS=${GOLD_PAIRS-en-fr}

OUT=${OUT:-runs/ot}                      # one for each choice of settings
DATA=${DATA:-data-bin/ot}                # prepared from the text, unless it is there
TUNE=${TUNE:-}                           # what is fine-tuned on; default: TUNE_PAIRS of each pair's
TUNE_PAIRS=${TUNE_PAIRS:-10000}          # text, or DATA if that was there (arXiv 2110.02887: 250,000)
[ -z "${CHECKPOINT:-}" ] || ARCH=${ARCH:-amber} MODEL_FLAGS=${MODEL_FLAGS-} # its shape is its own
CHECKPOINT=${CHECKPOINT:-$OUT/base/checkpoint_last.pt}
ARCH=${ARCH:-amber_tiny}                 # the first encoder's shape
MODEL_FLAGS=${MODEL_FLAGS-"--encoder-layers 4 --encoder-embed-dim 256 --encoder-ffn-embed-dim 1024"}
VOCAB_SIZE=${VOCAB_SIZE:-12000}
BASE_UPDATES=${BASE_UPDATES:-3000}       # of the first encoder, 48 sentences or pairs each

# Besides: l2-frozen (Cao et al. 2020's code), contrast-weak and contrast-strong (words; Wu and Dredze
# 2020), and wa-attention, wa-states, wa-states-joint, wa-self and wa-self-joint, word alignment alone.
SYSTEMS=${SYSTEMS:-"word-batch word-sentence subword-batch subword-sentence practical l2"}
WORD_BOUNDARIES=${WORD_BOUNDARIES:-punctuation} # what a word is, for systems of words: spaces,
                                         # punctuation, or moses (the paper's), which prepare marks
SEEDS=${SEEDS:-"1 2 3"}
JOBS=${JOBS:-}                           # runs at once; default: one for each core, 1 on a GPU
UPDATES=${UPDATES:-150}                  # arXiv 2110.02887: one epoch of 250,000 pairs a language
LR=${LR:-2e-4}                           # arXiv 2110.02887: 5e-5, for some 5,000 updates
SCHEDULE=${SCHEDULE:-polynomial_decay}   # after the warm-up: down to 0, or constant (Cao et al. 2020)
whole_numbers 1 UPDATES
WARMUP=${WARMUP:-$((UPDATES / 8))}       # Cao et al. 2020: a tenth
ADAM_BETAS=${ADAM_BETAS:-"(0.9, 0.999)"} # Cao et al. 2020: (0.9, 0.98)
ADAM_EPS=${ADAM_EPS:-1e-8}               # Cao et al. 2020: 1e-9
WEIGHT_DECAY=${WEIGHT_DECAY:-0}
CLIP_NORM=${CLIP_NORM:-1.0}              # Cao et al. 2020: none, 0
OPTIMIZER_FLAGS=${OPTIMIZER_FLAGS:-}     # further flags of the optimiser and of its schedule
BATCH=${BATCH:-24}                       # of each pair of languages in an update (arXiv 2110.02887)
LENGTH=${LENGTH:-128} PRECISION=${PRECISION:-} FLAGS=${FLAGS:-}
PLOT=${PLOT:-9}                          # the pair of the first test file whose plan is drawn
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}
# said by fairseq about its own code
export PYTHONWARNINGS="ignore::UserWarning,ignore::FutureWarning,ignore::DeprecationWarning"

each_once SYSTEMS
whole_words SEEDS
whole_numbers 1 TUNE_PAIRS VOCAB_SIZE BASE_UPDATES BATCH LENGTH PLOT
whole_numbers 0 WARMUP
[ -z "$JOBS" ] || whole_numbers 1 JOBS
[ -z "$TUNE" ] || [ -d "$TUNE/parallel" ] ||
  refuse "TUNE=$TUNE has no folder parallel: give what fairseq-amber prepare has written"
each_of SYSTEMS word-batch word-sentence subword-batch subword-sentence practical l2 \
  l2-frozen contrast-weak contrast-strong wa-attention wa-states wa-states-joint wa-self wa-self-joint
one_of WORD_BOUNDARIES punctuation spaces moses
optimizer_flags "$SCHEDULE" "$WARMUP" "$UPDATES"
bash scripts/setup.sh
export PATH="$PWD/${AMBER_VENV:-.venv}/bin:$PATH"
alone "$OUT"
settings="$CHECKPOINT $DATA $TUNE $TUNE_PAIRS $RAW $LANGUAGES $CORPORA $ARCH $MODEL_FLAGS $BASE_UPDATES \
$UPDATES ${optimizer[*]} $OPTIMIZER_FLAGS $BATCH $LENGTH $PRECISION $FLAGS $WORD_BOUNDARIES \
$TATOEBA_PAIRS $GOLD_PAIRS"
[ -e "$OUT/settings" ] || echo "$settings" >"$OUT/settings"
[ "$settings" = "$(cat "$OUT/settings")" ] ||
  { echo "ot_finetune: $OUT holds runs of other settings ($OUT/settings): give another OUT" >&2; exit 2; }
trap 'echo "ot_finetune: interrupted; the same command continues" >&2; exit 130' INT TERM

if [ -z "$RAW" ] && { [ ! -e "$DATA/dict.txt" ] || [ "$DATA" = data-bin/ot ]; }; then
  : "${AMBER_DATA:?names a folder with the sets of docs/results/data.md; or give RAW, TATOEBA and GOLD}"
  RAW=$OUT/raw
  amber_raw "$RAW"
fi
marks=()
[ "$WORD_BOUNDARIES" != moses ] || marks=(--word-boundaries moses)
if [ ! -e "$DATA/dict.txt" ]; then
  vocabulary=(--tokenizer "$CHECKPOINT")
  [ "$CHECKPOINT" != "$OUT/base/checkpoint_last.pt" ] || vocabulary=(--vocab-size "$VOCAB_SIZE")
  fairseq-amber prepare "$RAW" "$DATA" "${vocabulary[@]}" ${marks[@]+"${marks[@]}"}
fi
if [ -z "$TUNE" ] && [ -n "$RAW" ]; then
  TUNE=$DATA-tune
  [ -e "$TUNE/dict.txt" ] || {
    mkdir -p "$OUT/raw-tune"
    for side in "$RAW"/train.*-*.*; do
      spread_lines "$side" "$TUNE_PAIRS" >"$OUT/raw-tune/$(plain_name "$side")"
    done
    fairseq-amber prepare "$OUT/raw-tune" "$TUNE" --tokenizer "$DATA" ${marks[@]+"${marks[@]}"}
  }
fi
TUNE=${TUNE:-$DATA}
device=()
[ "$(gpu_count)" -gt 0 ] || device=(--cpu)
JOBS=${JOBS:-$([ ${#device[@]} -gt 0 ] && getconf _NPROCESSORS_ONLN || echo 1)}
common=(--user-dir "$(fairseq-amber user-dir)" --task cross_lingual_alignment
  --tokens-per-sample "$LENGTH" --arch "$ARCH"
  ${device[@]+"${device[@]}"} --num-workers 0 --no-epoch-checkpoints
  --disable-validation --log-format simple --log-interval 50)

if [ "$CHECKPOINT" = "$OUT/base/checkpoint_last.pt" ] && [ ! -e "$OUT/base/complete" ]; then
  echo "== the first encoder, by MLM and TLM: $OUT/base.log"
  # An update has 36 pairs and 12 sentences. With an equal weight the few tokens that the sentences
  # predict add more noise than they teach.
  # shellcheck disable=SC2086  # several words
  fairseq-train "$DATA" "${common[@]}" --criterion amber --mlm-weight 0.33 --wa-weight 0 --sa-weight 0 \
    --dropout 0 --attention-dropout 0 --parallel-share 0.75 --batch-size 48 --optimizer adam \
    --adam-betas '(0.9, 0.98)' --clip-norm 1.0 --lr 1e-3 \
    --lr-scheduler polynomial_decay --warmup-updates $((BASE_UPDATES / 25)) \
    --total-num-update "$BASE_UPDATES" --max-update "$BASE_UPDATES" --seed 1 \
    --save-interval-updates 200 --keep-interval-updates 1 --save-dir "$OUT/base" \
    $PRECISION $MODEL_FLAGS >>"$OUT/base.log" 2>&1 ||
    { tail -n 3 "$OUT/base.log" >&2; exit 1; }
  touch "$OUT/base/complete"
fi

measure() { # checkpoint, directory, name in the table
  [ -e "$2/aer.json" ] && return
  # joined by &&: what calls it switches set -e off; the last layer is the one that was trained
  fairseq-amber retrieve "$1" --data "$DATA" --folder "$TATOEBA" --split tatoeba \
    ${TATOEBA_PAIRS:+--pairs "$TATOEBA_PAIRS"} --name "$3" --json "$2/tatoeba.json" &&
  fairseq-amber align "$1" --data "$DATA" --layer -1 --folder "$GOLD" --split test \
    ${GOLD_PAIRS:+--pairs "$GOLD_PAIRS"} --output "$2/alignments" &&
  fairseq-amber aer "$2/alignments" "$GOLD" --name "$3" --json "$2/aer.json"
}
mkdir -p "$OUT/before"
measure "$CHECKPOINT" "$OUT/before" before >"$OUT/before.log" 2>&1 ||
  { tail -n 3 "$OUT/before.log" >&2; exit 1; }

case " $SYSTEMS " in *" l2"* | *" contrast-"*)
  # The encoder's own word links of the training text.
  [ -e "$OUT/links/complete" ] || {
    mkdir -p "$OUT/links"
    fairseq-amber align "$CHECKPOINT" --corpus "$TUNE" --split train --units subwords \
      --layer -1 --output "$OUT/links"
    touch "$OUT/links/complete"
  } ;;
esac

LANGUAGE_PAIRS=$(find "$TUNE/parallel" -mindepth 1 -maxdepth 1 -type d | wc -l)
flags_of() { # system -> its flags
  local wa="--criterion amber --mlm-weight 0 --tlm-weight 0 --sa-weight 0"
  case $1 in
    # punctuation is the default
    word-*) [ "$WORD_BOUNDARIES" = punctuation ] || echo "--word-boundaries $WORD_BOUNDARIES" ;;
  esac
  case $1 in
    word-batch) echo "--criterion ot_alignment" ;; # the paper's
    word-sentence) echo "--criterion ot_alignment --ot-scope sentence" ;;
    subword-batch) echo "--criterion ot_alignment --ot-points subwords" ;;
    subword-sentence) echo "--criterion ot_alignment --ot-points subwords --ot-scope sentence" ;;
    practical) # cosine, unbalanced, near in position, towards what English was
      echo "--criterion ot_alignment --ot-solver sinkhorn --ot-points subwords --ot-scope sentence"
      echo "--ot-epsilon 0.05 --ot-reach 0.3 --ot-position-weight 0.5"
      echo "--ot-target-states frozen --anchor-weight 0.05" ;;
    l2) echo "--criterion l2_alignment --l2-units subwords" ;;
    l2-frozen) # towards the initial English, with the special tokens
      echo "--criterion l2_alignment --l2-units subwords --l2-target-states frozen --l2-special-tokens" ;;
    contrast-weak | contrast-strong)
      echo "--criterion contrastive_alignment --mlm-weight 0 --tlm-weight 0 --contrast-units words"
      echo "--contrast-link-units subwords --contrast-negatives ${1#contrast-}" ;;
    # word alignment of AMBER alone, on another map than the attention, from sentences encoded
    # apart or joined, or towards the maps' own agreement
    wa-attention) echo "$wa" ;;
    wa-states) echo "$wa --wa-map states --wa-map-encoding apart" ;;
    wa-states-joint) echo "$wa --wa-map states --wa-map-encoding joint" ;;
    wa-self) echo "$wa --wa-map states --wa-target self" ;;
    wa-self-joint) echo "$wa --wa-map states --wa-map-encoding joint --wa-target self" ;;
    *) echo "ot_finetune: no such system: $1" >&2; return 2 ;;
  esac
}
finetune() { # system, seed
  local run=$OUT/$1-$2 flags
  flags=$(flags_of "$1") || return
  local paths=(--from-pretrained "$CHECKPOINT")
  case $1 in
    l2 | l2-frozen) paths+=(--l2-links "$OUT/links") ;;
    contrast-*) paths+=(--contrast-links "$OUT/links") ;;
  esac
  mkdir -p "$run"
  [ -e "$run/aer.json" ] && return
  # --from-pretrained also names the frozen encoder, at the start and on resuming alike.
  # fairseq-train takes the last of two equal flags: the *FLAGS, of several words, win.
  # shellcheck disable=SC2086
  fairseq-train "$TUNE" "${common[@]}" $flags "${paths[@]}" \
    --multilang-sampling-alpha 0 --batch-size "$((BATCH * LANGUAGE_PAIRS))" "${optimizer[@]}" \
    --max-update "$UPDATES" --seed "$2" --save-dir "$run" --tensorboard-logdir "$run/tensorboard" \
    $PRECISION $MODEL_FLAGS $OPTIMIZER_FLAGS $FLAGS &&
  measure "$run/checkpoint_last.pt" "$run" "$1"
}
export -f measure flags_of finetune
export OUT DATA TUNE CHECKPOINT TATOEBA TATOEBA_PAIRS GOLD GOLD_PAIRS BATCH LANGUAGE_PAIRS UPDATES
export WORD_BOUNDARIES PRECISION MODEL_FLAGS OPTIMIZER_FLAGS FLAGS
COMMON=$(printf '%s\n' "${common[@]}") # a word a line: a path may hold spaces
OPTIMIZER=$(printf '%s\n' "${optimizer[@]}")
export COMMON OPTIMIZER
# shellcheck disable=SC2016  # the inner bash expands it
for seed in $SEEDS; do
  for system in $SYSTEMS; do
    echo "$system $seed"
  done
done | xargs -P "$JOBS" -L 1 bash -c '
  common=() optimizer=()
  while IFS= read -r word; do common+=("$word"); done <<<"$COMMON"
  while IFS= read -r word; do optimizer+=("$word"); done <<<"$OPTIMIZER"
  echo "== $0, seed $1"
  finetune "$0" "$1" >"$OUT/$0-$1.log" 2>&1 ||
    { echo "ot_finetune: failed: $OUT/$0-$1.log ends:" >&2; tail -n 3 "$OUT/$0-$1.log" >&2; exit 255; }'

results=("$OUT"/before/{tatoeba,aer}.json)
for system in $SYSTEMS; do
  for seed in $SEEDS; do
    results+=("$OUT/$system-$seed"/{tatoeba,aer}.json)
  done
done
fairseq-amber report "${results[@]}" --output "$OUT/report"

# one pair's transport plan, by the encoder before and after
drawn=$(first_of "$GOLD_PAIRS" "$GOLD" test. .gold)
for state in before $(for system in $SYSTEMS; do echo "$system-${SEEDS%% *}"; done); do
  checkpoint=$CHECKPOINT
  [ "$state" = before ] || checkpoint=$OUT/$state/checkpoint_last.pt
  fairseq-amber align "$checkpoint" --data "$DATA" --layer -1 \
    --method transport --epsilon 0.05 \
    --source "$(text_file "$GOLD/test.$drawn.${drawn%-*}")" \
    --target "$(text_file "$GOLD/test.$drawn.${drawn#*-}")" \
    --output "$OUT/$state/plan.align" --plot "$PLOT" "$OUT/report/plan-$state.png"
done
echo "$OUT/report"
