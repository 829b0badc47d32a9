#!/usr/bin/env bash
# What alignment does to a pretrained encoder: word alignment, retrieval, zero-shot transfer and what is
# forgotten, before and after training on parallel text by masking alone (the control) and by each
# objective, with the same number of updates, as mean and standard deviation over seeds; with tests
# of the differences from before and from the control.
#
#   AMBER_DATA=... bash scripts/proof.sh FOLDER                     # everything: hours on a CPU
#   AMBER_DATA=... bash scripts/proof.sh FOLDER words               # a part, and what it needs
#   AMBER_DATA=... SETS=align_gold PAIRS=100 SYSTEMS=wa-states SEEDS=1 UPDATES=2 HEAD_UPDATES=1 LAYERS=8 \
#     bash scripts/proof.sh FOLDER words                            # the smallest, to see that it works
#
# FOLDER is a pretrained encoder of Hugging Face, of fairseq or of this package, such as
# intfloat/multilingual-e5-small. The parts are words, retrieval and transfer. scripts/proof/systems.tsv has
# the flags of each system. How align is called is chosen for each system on development pairs, and
# written to OUT/chosen before a test pair is read; pairs of a language that is written without spaces
# are aligned --as-written, too. Interrupted, the same command continues; OUT/words, OUT/*/report and
# OUT/forgetting.md hold the tables. The sets of AMBER_DATA: docs/results/data.md.
[ -n "${BASH_VERSION:-}" ] || { echo "proof: error: sh is too little: bash $0" >&2; exit 2; }
set -euo pipefail
[ $# -ge 1 ] || { sed -n '2,17s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 2; }
FOLDER=$1
shift
PARTS=${*:-words retrieval transfer}
# shellcheck source=scripts/recipe_functions.sh
. "$(dirname "${BASH_SOURCE[0]}")/recipe_functions.sh"
paths FOLDER AMBER_DATA
CDPATH='' cd "$(dirname "${BASH_SOURCE[0]}")/.."

NAME=${NAME:-proof}                      # one for each choice of settings
OUT=runs/$NAME
DATA=data-bin/$NAME
LANGUAGES=${LANGUAGES:-"es fr ja ru zh"} # of those in AMBER_DATA, each paired with English
export CORPORA=${CORPORA:-"tatoeba-anki tatoeba-mt wmt-newstest"}
SETS=${SETS:-"align_gold retrieval tagging nli paraphrase qa"} # whose text the vocabulary is kept for
PAIRS=${PAIRS:-4000}                    # of each pair of languages, and sentences of each language

SYSTEMS=${SYSTEMS:-"control wa sa ot ot-practical l2 tlm wa-attention wa-states wa-self contrast mix mix-contrast"}
SEEDS=${SEEDS:-"1 2 3"}
UPDATES=${UPDATES:-150}
BATCH=${BATCH:-40}                       # pairs in an update, or sentences and pairs
LR=${LR:-2e-4}
HEAD_UPDATES=${HEAD_UPDATES:-1000}       # before them, of the language model head alone; 0: none
HEAD_LR=${HEAD_LR:-5e-3}
LAYER=${LAYER:-8}                        # whose states are aligned: two thirds of the depth
LENGTH=${LENGTH:-128} PRECISION=${PRECISION:-}
JOBS=${JOBS:-}                           # runs at once; default: one for each core, 1 on a GPU

GOLD=${GOLD:-$AMBER_DATA/align_gold/awesome-align-examples}
GOLD_PAIRS=${GOLD_PAIRS:-}               # default: all of GOLD
METHODS=${METHODS:-"similarity softmax itermax"} # of align, chosen from on the development pairs
LAYERS=${LAYERS:-6-9}                    # likewise
TATOEBA_PAIRS=${TATOEBA_PAIRS:-}         # default: all
TRANSFER=${TRANSFER:-"control wa sa ot l2"} # of SYSTEMS, for retrieval and transfer, by their first seed
PREFIX=${PREFIX-"query: "}               # in front of each sentence that is sought; E5's
TASKS=${TASKS:-"pos ner xnli pawsx squad"}
LABELS=${LABELS:-2000}                   # English examples to learn from (squad: paragraphs / 4)
TESTS=${TESTS:-500}                      # examples of each language and test file
TEST_LANGUAGES=${TEST_LANGUAGES:-"ar de es fr hi ja ru tr zh"} # those that a task has, beside English
TASK_SEEDS=${TASK_SEEDS:-$SEEDS}         # of fine-tuning, each from the encoder of the first of SEEDS
DEAR=${DEAR-}                            # tasks with one seed alone
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}
# said by fairseq about its own code
export PYTHONWARNINGS="ignore::UserWarning,ignore::FutureWarning,ignore::DeprecationWarning"

: "${AMBER_DATA:?names a folder with the sets of docs/results/data.md}"
run_words NAME
each_once PARTS SYSTEMS METHODS TRANSFER TASKS LANGUAGES SETS
each_of PARTS words retrieval transfer
each_of SETS align_gold retrieval tagging nli paraphrase qa
whole_words SEEDS TASK_SEEDS
whole_numbers 1 PAIRS UPDATES BATCH LAYER LENGTH LABELS TESTS
whole_numbers 0 HEAD_UPDATES
numbers LR HEAD_LR
[ -z "$JOBS" ] || whole_numbers 1 JOBS
# shellcheck disable=SC2046  # a word for each system
each_of SYSTEMS $(awk -F '\t' 'NF > 1 { print $1 }' scripts/proof/systems.tsv)
case " $PARTS " in
  *" retrieval "* | *" transfer "*)
    # shellcheck disable=SC2086  # several words
    each_of TRANSFER $SYSTEMS ;;
esac
bash scripts/setup.sh
export PATH="$PWD/${AMBER_VENV:-.venv}/bin:$PATH"
alone "$OUT"
trap 'echo "proof: interrupted; the same command continues" >&2; exit 130' INT TERM
device=()
[ "$(gpu_count)" -gt 0 ] || device=(--cpu)
JOBS=${JOBS:-$([ ${#device[@]} -gt 0 ] && getconf _NPROCESSORS_ONLN || echo 1)}
same_settings "$OUT/settings" "$FOLDER $LANGUAGES $CORPORA $SETS $PAIRS $UPDATES $BATCH $LR $LAYER $LENGTH $HEAD_UPDATES $HEAD_LR $PRECISION"

# ---- the text, the encoder with a vocabulary for all that is read here, and the text in it
RAW=$OUT/raw TEXT=$OUT/text START=$OUT/start DEV=$OUT/dev
amber_raw "$RAW"
gather() { # PAIRS of each text to train on; and the development pairs by one name
  rm -rf "$TEXT" "$DEV"
  mkdir -p "$TEXT" "$DEV"
  local file
  for file in "$RAW"/train.*; do
    spread_lines "$file" "$PAIRS" >"$TEXT/${file##*/}"
  done
  for file in "$AMBER_DATA"/align_gold/xl-wa/dev.*; do
    ln -s "$file" "$DEV/${file##*/}"
  done
  for file in "$AMBER_DATA"/align_gold/wpt05-en-hi/test.*; do
    ln -s "$file" "$DEV/dev.${file##*/test.}"
  done
}
step "$OUT/steps/text" gather
# shellcheck disable=SC2086  # several words
step "$OUT/steps/read" python scripts/proof/text_of.py "$AMBER_DATA" "$OUT/read.txt" $SETS
trim() {
  rm -rf "$START"
  fairseq-amber convert "$FOLDER" "$START" --to amber --keep-vocab "$TEXT" --keep-vocab "$OUT/read.txt"
}
step "$OUT/steps/start" trim
step "$OUT/steps/data" fairseq-amber prepare "$TEXT" "$DATA" --tokenizer "$START"
touch "$OUT/complete" # of these settings; others need another NAME from here on

# ---- training
link() { fairseq-amber align "$START" --corpus "$DATA" --split train --units subwords --output "$OUT/links"; }
case " $SYSTEMS " in *" l2 "* | *contrast*) step "$OUT/steps/links" link ;; esac
ADAM_BETAS="(0.9, 0.98)" ADAM_EPS=1e-6 WEIGHT_DECAY=0 CLIP_NORM=1.0
common=(--user-dir "$(fairseq-amber user-dir)" --task cross_lingual_alignment --tokens-per-sample "$LENGTH"
  --arch amber --multilang-sampling-alpha 0 --parallel-share 0.75
  --batch-size "$BATCH" ${device[@]+"${device[@]}"} --num-workers 0 --disable-validation
  --no-epoch-checkpoints --save-interval-updates 100 --keep-interval-updates 1
  --log-format simple --log-interval 25)
# Many encoders come without a language model head, and the gradients of a random one harm them. So
# the head learns first, while the encoder stays as it is.
train_head() {
  LR=$HEAD_LR optimizer_flags polynomial_decay $((HEAD_UPDATES / 10)) "$HEAD_UPDATES"
  mkdir -p "$OUT/head"
  # shellcheck disable=SC2086  # several words
  fairseq-train "$DATA" "${common[@]}" "${optimizer[@]}" --from-pretrained "$START" --freeze-encoder \
    --criterion amber --wa-weight 0 --sa-weight 0 --max-update "$HEAD_UPDATES" --seed 1 \
    --save-dir "$OUT/head" --tensorboard-logdir "$OUT/head/tensorboard" $PRECISION >>"$OUT/head.log" 2>&1 ||
    { echo "proof: failed: $OUT/head.log ends:" >&2; tail -n 3 "$OUT/head.log" >&2; return 1; }
}
WITH_HEAD=$START
if [ "$HEAD_UPDATES" -gt 0 ]; then
  step "$OUT/steps/head" train_head
  WITH_HEAD=$OUT/head/checkpoint_last.pt
fi
optimizer_flags polynomial_decay $((UPDATES / 10)) "$UPDATES"
common+=(--from-pretrained "$WITH_HEAD" --max-update "$UPDATES" "${optimizer[@]}")
train() { # system, seed
  local run=$OUT/$1-$2 flags links=()
  [ ! -e "$run/complete" ] || return 0
  flags=$(awk -F '\t' -v name="$1" '$1 == name { print $2 }' scripts/proof/systems.tsv)
  case $1 in
    l2) links=(--l2-links "$OUT/links") ;;
    *contrast) links=(--contrast-links "$OUT/links") ;;
  esac
  mkdir -p "$run"
  # shellcheck disable=SC2086  # several words
  fairseq-train "$DATA" "${common[@]}" ${flags//LAYER/$LAYER} ${links[@]+"${links[@]}"} \
    --seed "$2" --save-dir "$run" --tensorboard-logdir "$run/tensorboard" $PRECISION &&
    touch "$run/complete"
}
export -f train
export OUT DATA LAYER PRECISION
COMMON=$(printf '%s\n' "${common[@]}") # a word a line: a path may hold spaces
export COMMON
runs() { for seed in $SEEDS; do for system in $SYSTEMS; do echo "$system $seed"; done; done; }
# shellcheck disable=SC2016  # the inner bash expands it
runs | xargs -P "$JOBS" -L 1 bash -c '
  common=()
  while IFS= read -r word; do common+=("$word"); done <<<"$COMMON"
  [ -e "$OUT/$0-$1/complete" ] || echo "== training $0, seed $1"
  train "$0" "$1" >>"$OUT/$0-$1.log" 2>&1 ||
    { echo "proof: failed: $OUT/$0-$1.log ends:" >&2; tail -n 3 "$OUT/$0-$1.log" >&2; exit 255; }'
encoder() { # system, seed -> its folder or checkpoint
  [ "$1" = none ] && echo "$START" || echo "$OUT/$1-$2/checkpoint_last.pt"
}

# ---- words: layer and method of each system by the development pairs, then the test pairs
on_cores() { # a function; its words, a line for each call
  # shellcheck disable=SC2016  # the inner bash expands it
  xargs -P "$JOBS" -L 1 bash -c 'set -euo pipefail; "$0" "$@"' "$1"
}
align() { # system, seed, folder of gold, its split, what to write, flags of align
  local encoder results=$5
  encoder=$(encoder "$1" "$2")
  step "$OUT/steps/${results//\//-}" aligned "$encoder" "$1" "$3" "$4" "$OUT/$results" "${@:6}"
}
aligned() { # encoder, system, gold, split, output, flags of align
  rm -rf "$5" "$5.json"
  mkdir -p "$(dirname "$5")"
  fairseq-amber align "$1" --data "$DATA" --folder "$3" --split "$4" --output "$5" "${@:6}" &&
    fairseq-amber aer "$5" "$3" --name "$2" --json "$5.json"
}
align_development() { # system, seed, method
  align "$1" "$2" "$DEV" dev "dev-alignments/$1-$2-$3" --method "$3" --layers "$LAYERS"
}
align_test() { # system, seed, what to write, flags of align
  local method layer
  read -r method layer < <(awk -F '\t' -v name="$1" '$1 == name { print $2, $3 }' "$OUT/chosen")
  align "$1" "$2" "$GOLD" test "$3/$1-$2" --method "$method" --layer "$layer" "${@:4}"
}
export -f step encoder align aligned align_development align_test
export START DEV LAYERS GOLD
all_runs() { echo "none 1"; runs; }
comparisons() { # systems -> flags of report: each is tested against none, and against the control
  local before system
  for before in none control; do
    case " none $* " in *" $before "*) ;; *) continue ;; esac
    for system in "$@"; do
      [ "$system" = "$before" ] || echo "--compare $before $system"
    done
  done
}
unspaced_pairs() { # those of GOLD with a language that is written without spaces
  local file pair pairs=
  for file in "$GOLD"/test.*.gold; do
    pair=${file##*/test.} pair=${pair%.gold}
    case ",${GOLD_PAIRS:-$pair}," in *",$pair,"*) ;; *) continue ;; esac
    case -$pair- in *-zh-* | *-ja-* | *-th-* | *-lo-* | *-km-* | *-my-*) pairs+=${pairs:+,}$pair ;; esac
  done
  echo "$pairs"
}
words() {
  local system seed method unspaced kind results
  while read -r system seed; do
    for method in $METHODS; do echo "$system $seed $method"; done
  done < <(all_runs) | on_cores align_development
  python scripts/proof/choose.py "$OUT/dev-alignments" "$OUT/chosen"
  cat "$OUT/chosen"
  while read -r system seed; do
    echo "$system $seed alignments${GOLD_PAIRS:+ --pairs $GOLD_PAIRS}"
  done < <(all_runs) | on_cores align_test
  unspaced=$(unspaced_pairs)
  [ -z "$unspaced" ] || while read -r system seed; do
    echo "$system $seed as-written --as-written --pairs $unspaced"
  done < <(all_runs) | on_cores align_test
  for kind in alignments ${unspaced:+as-written}; do
    results=()
    while read -r system seed; do
      results+=("$OUT/$kind/$system-$seed.json")
    done < <(all_runs)
    # shellcheck disable=SC2046,SC2086  # several words
    fairseq-amber report "${results[@]}" $(comparisons $SYSTEMS) --output "$OUT/words/${kind/alignments/report}"
  done
}

# ---- retrieval and mining, in languages that the text of training has and in others
measured() { for system in none $TRANSFER; do echo "$system ${SEEDS%% *}"; done; }
retrieve() { # system, seed
  local encoder
  encoder=$(encoder "$1" "$2")
  step "$OUT/steps/tatoeba-$1" fairseq-amber retrieve "$encoder" --data "$DATA" \
    --folder "$AMBER_DATA/retrieval/tatoeba" --split tatoeba ${TATOEBA_PAIRS:+--pairs "$TATOEBA_PAIRS"} \
    ${PREFIX:+--prefix "$PREFIX"} --name "$1" --json "$OUT/tatoeba/$1.json"
}
export -f retrieve
export TATOEBA_PAIRS PREFIX
retrieval() {
  local system seed results=() systems=()
  mkdir -p "$OUT/tatoeba"
  measured | on_cores retrieve
  while read -r system seed; do
    results+=("$OUT/tatoeba/$system.json")
    systems+=("$system=$(encoder "$system" "$seed")")
  done < <(measured)
  # shellcheck disable=SC2046,SC2086  # several words
  fairseq-amber report "${results[@]}" $(comparisons $TRANSFER) --output "$OUT/retrieval/report"
  DATA=$DATA TATOEBA='' GOLD='' PREFIX="$PREFIX" bash scripts/measure.sh "$OUT/mining" "${systems[@]}"
}

# ---- transfer, from part of the labels
transfer() {
  local system seed task encoders='' results=()
  step "$OUT/steps/labels" python scripts/proof/part_of.py "$AMBER_DATA" "$OUT/labels" "$LABELS" "$TESTS"
  while read -r system seed; do
    encoders+="$system=$(encoder "$system" "$seed") "
  done < <(measured)
  # A hundred models with their optimisers' states would fill a disk.
  env -u LANGUAGES -u UPDATES -u LR -u BATCH -u LENGTH KEEP_CHECKPOINTS=no \
    AMBER_DATA="$OUT/labels" NAME="$NAME/transfer" \
    DATA="$DATA" ENCODERS="$encoders" TASKS="$TASKS" SEEDS="$TASK_SEEDS" DEAR="$DEAR" JOBS="$JOBS" \
    LANGUAGES="$TEST_LANGUAGES" SETTINGS=scripts/proof/transfer.tsv bash scripts/xtreme.sh
  for task in $TASKS; do
    for system in none $TRANSFER; do
      results+=("$OUT/transfer/$task-$system/"*/test.json)
    done
  done
  # shellcheck disable=SC2046,SC2086  # several words
  fairseq-amber report "${results[@]}" $(comparisons $TRANSFER) --output "$OUT/transfer/report"
}
for part in $PARTS; do
  "$part"
done
case " $PARTS " in
  *" retrieval "* | *" transfer "*)
    # shellcheck disable=SC2086  # several words
    python scripts/proof/forgetting.py "$OUT" "$LANGUAGES" none $TRANSFER ;;
esac
