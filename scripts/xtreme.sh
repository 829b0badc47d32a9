#!/usr/bin/env bash
# What alignment does to zero-shot transfer: fine-tunes encoders on English labels of POS, NER, XNLI,
# PAWS-X and SQuAD, tests them on every other language, and puts them side by side, as mean and
# standard deviation over seeds, with a constant or random baseline beside them.
#
#   AMBER_DATA=... bash scripts/xtreme.sh                    # small encoders, on public sets: docs/results/data.md
#   XTREME=download ENCODERS="before=xlm-roberta-base after=b.pt" SETTINGS=xtreme bash scripts/xtreme.sh
#                                                            # XTREME's own files, your encoders
#
# ENCODERS are checkpoints and pretrained folders as they are, of one vocabulary: those of another get
# a run of their own, and fairseq-amber report puts the results of both into one table.
# XTREME is the folder that XTREME's scripts/download_data.sh fills. Without ENCODERS two of four
# layers of 256 are trained first on the same text for the same updates: by MLM and TLM alone, and
# with word and sentence alignment beside them. Interrupted, the same command continues; OUT holds
# every run and OUT/report the tables.
[ -n "${BASH_VERSION:-}" ] || { echo "xtreme: error: sh is too little: bash $0" >&2; exit 2; }
set -euo pipefail
# shellcheck source=scripts/recipe_functions.sh
. "$(dirname "${BASH_SOURCE[0]}")/recipe_functions.sh"
paths XTREME AMBER_DATA
new_paths DATA
named_paths ENCODERS
case ${SETTINGS:-} in small | xtreme) ;; *) paths SETTINGS ;; esac
one_of SCHEDULE polynomial_decay constant
one_of KEEP_CHECKPOINTS yes no
CDPATH='' cd "$(dirname "${BASH_SOURCE[0]}")/.."

NAME=${NAME:-xtreme}
OUT=runs/$NAME
XTREME=${XTREME:-}                       # in place of AMBER_DATA's
LANGUAGES=${LANGUAGES:-"de es fr ru zh"} # of those in AMBER_DATA, beside English
DATA=${DATA:-data-bin/$NAME}             # DATA-TASK gets each task; where DATA is a data folder, in its
                                         # vocabulary, else in that of the first encoder
ENCODERS=${ENCODERS:-}                   # name=checkpoint or folder, one or several
TASKS=${TASKS:-"pos ner xnli pawsx squad"}
TASK_LANGUAGES=${TASK_LANGUAGES:-}       # tested: "pos=de,fr pawsx=de"; default: all of the test files
SEEDS=${SEEDS:-"1 2 3"}
DEAR=${DEAR-"xnli squad"}                # tasks that take long, with DEAR_SEEDS in place of SEEDS
DEAR_SEEDS=${DEAR_SEEDS:-1}
JOBS=${JOBS:-}                           # runs at once; default: one for each core, 1 on a GPU
[ -z "$ENCODERS" ] || ARCH=${ARCH:-amber} MODEL_FLAGS=${MODEL_FLAGS-} # their shapes are their own
export ARCH=${ARCH:-amber_tiny}
export MODEL_FLAGS=${MODEL_FLAGS-"--encoder-layers 4 --encoder-embed-dim 256 --encoder-ffn-embed-dim 1024 --max-positions 256"}
SETTINGS=${SETTINGS:-small}              # of fine-tuning: xtreme (finetune_xtreme.sh), small, or a file with
                                         # a line for each task: its name, a tab, settings of finetune_xtreme.sh
export PRECISION=${PRECISION:-}
export KEEP_CHECKPOINTS=${KEEP_CHECKPOINTS:-yes} # no: the fine-tuned are removed once they are tested
# of the two encoders
export CORPORA=${CORPORA:-"tatoeba-anki tatoeba-mt wmt-newstest"}
UPDATES=${UPDATES:-800}
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}
# said by fairseq about its own code
export PYTHONWARNINGS="ignore::UserWarning,ignore::FutureWarning,ignore::DeprecationWarning"

run_names NAME
each_once TASKS
each_of TASKS pos ner xnli pawsx squad mlqa tydiqa
each_of DEAR pos ner xnli pawsx squad mlqa tydiqa
for entry in $TASK_LANGUAGES; do
  case $entry in
    pos=?* | ner=?* | xnli=?* | pawsx=?* | squad=?* | mlqa=?* | tydiqa=?*) ;;
    *) refuse "TASK_LANGUAGES has $entry, which is not a task and its languages, such as pos=de,fr" ;;
  esac
done
whole_words SEEDS DEAR_SEEDS
whole_numbers 1 UPDATES
[ -z "$JOBS" ] || whole_numbers 1 JOBS
if [ -n "$ENCODERS" ]; then
  each_once ENCODERS
  names=()
  for entry in $ENCODERS; do
    names+=("${entry%%=*}")
    encoder=${entry#*=}
    models encoder
  done
  plain_names ENCODERS "${names[@]}"
fi
case $SETTINGS in
  small | xtreme) ;;
  *) for task in $TASKS; do
       grep -qs "^$task"$'\t' "$SETTINGS" ||
         refuse "SETTINGS=$SETTINGS is neither small nor xtreme nor a file with a line for $task"
     done ;;
esac
bash scripts/setup.sh
export PATH="$PWD/${AMBER_VENV:-.venv}/bin:$PATH"
alone "$OUT"
trap 'echo "xtreme: interrupted; the same command continues" >&2; exit 130' INT TERM
JOBS=${JOBS:-$(python -c 'import os, torch; print(1 if torch.cuda.is_available() else os.cpu_count())')}

if [ -z "$ENCODERS" ]; then
  : "${AMBER_DATA:?names a folder with the sets of docs/results/data.md; or give ENCODERS and DATA, and XTREME}"
  RAW=$OUT/raw
  amber_raw "$RAW"
  [ -e "$DATA/dict.txt" ] ||
    fairseq-amber prepare "$RAW" "$DATA" --vocab-size 16000 --character-coverage 0.9995
  # Rows of 256 full of text, because question answering has such rows.
  # shellcheck disable=SC2016  # the inner bash expands it
  printf '%s\n' "TLM WA=0 SA=0" "AMBER WA=1 SA=1" | RAW=$RAW DATA=$DATA NAME=$NAME UPDATES=$UPDATES \
    LENGTH=256 LR=1e-3 PARALLEL_SHARE=0.75 UPDATE_EXAMPLES=48 MAX_TOKENS=20000 \
    WORKERS=0 SAVE_EVERY=300 TATOEBA="$AMBER_DATA/retrieval/tatoeba" \
    TATOEBA_PAIRS=deu-eng,fra-eng,spa-eng,rus-eng,cmn-eng \
    MODEL_FLAGS="--dropout 0 --attention-dropout 0 $MODEL_FLAGS" xargs -P "$JOBS" -L 1 bash -c '
      [ ! -e "runs/$NAME/encoder-$0/report" ] || exit 0
      echo "== the encoder $0: runs/$NAME/encoder-$0.log"
      # settings of fine-tuning that both recipes call by one name
      env -u FLAGS -u SCHEDULE -u WARMUP -u ADAM_BETAS -u ADAM_EPS -u WEIGHT_DECAY -u CLIP_NORM \
        -u OPTIMIZER_FLAGS "$@" SYSTEM="$0" FLAGS="--sentence-rows block" \
        bash scripts/pretrain_amber.sh "$RAW" "$NAME/encoder-$0" \
        >"runs/$NAME/encoder-$0.log" 2>&1 ||
        { tail -n 3 "runs/$NAME/encoder-$0.log" >&2; exit 255; }'
  ENCODERS="TLM=$OUT/encoder-TLM/checkpoint_last.pt AMBER=$OUT/encoder-AMBER/checkpoint_last.pt"
fi

tests() { # task, language, files -> a flag for each of them that there is
  local file found=
  for file in "${@:3}"; do
    [ ! -e "$file" ] || { printf '%s\n' --test "$2=$file"; found=yes; }
  done
  [ -n "$found" ] || echo "xtreme: AMBER_DATA has no test set of $1 in $2" >&2
}
# Where XTREME's files are: its own download, or the sets in AMBER_DATA.
sources() { # task -> the flags of prepare-task, a word a line
  local language
  if [ -n "$XTREME" ]; then
    printf '%s\n' --xtreme "$XTREME"
    return
  fi
  : "${AMBER_DATA:?names a folder with the sets of docs/results/data.md; or give XTREME}"
  case $1 in
    pos)
      printf '%s\n' --train "en=$AMBER_DATA/tagging/udpos/en/en_ewt.train.tsv"
      printf '%s\n' --valid "en=$AMBER_DATA/tagging/udpos/en/en_ewt.dev.tsv"
      for language in en $LANGUAGES; do # a language's treebanks are one text, as in XTREME
        tests pos "$language" "$AMBER_DATA/tagging/udpos/$language/"*.test.tsv
      done ;;
    ner) # the labels of the test sets are not public: the other languages' dev sets
      printf '%s\n' --train "en=$AMBER_DATA/tagging/panx/en/train.tsv"
      printf '%s\n' --valid "en=$AMBER_DATA/tagging/panx/en/dev.tsv"
      for language in $LANGUAGES; do
        tests ner "$language" "$AMBER_DATA/tagging/panx/$language/dev.tsv"
      done ;;
    xnli)
      printf '%s\n' --train "en=$AMBER_DATA/nli/mnli-taxinli/train-en.tsv" --valid "en=$AMBER_DATA/nli/xnli/dev-en.tsv"
      for language in en $LANGUAGES; do
        tests xnli "$language" "$AMBER_DATA/nli/xnli/test-$language.tsv"
      done ;;
    pawsx) # its training file is not there: most of the English dev set, selected by its rest
      head -n 1700 "$AMBER_DATA/paraphrase/pawsx/dev-en.tsv" >"$OUT/pawsx-train-en.tsv"
      tail -n +1701 "$AMBER_DATA/paraphrase/pawsx/dev-en.tsv" >"$OUT/pawsx-valid-en.tsv"
      printf '%s\n' --train "en=$OUT/pawsx-train-en.tsv" --valid "en=$OUT/pawsx-valid-en.tsv"
      for language in en $LANGUAGES; do
        tests pawsx "$language" "$AMBER_DATA/paraphrase/pawsx/"test{,-inferred}"-$language.tsv"
      done ;;
    squad) # every twelfth paragraph validates
      python - "$AMBER_DATA/qa/squad/squad-v1.1-dev-minus-xquad.train.json" "$OUT" <<'PY'
import json
import sys

source, out = sys.argv[1:]
articles = json.load(open(source, encoding="utf-8"))["data"]
for name, wanted in (("train", lambda i: i % 12), ("valid", lambda i: i % 12 == 0)):
    kept, number = [], 0
    for article in articles:
        paragraphs = []
        for paragraph in article["paragraphs"]:
            if wanted(number):
                paragraphs.append(paragraph)
            number += 1
        kept.append({**article, "paragraphs": paragraphs})
    with open(f"{out}/squad-{name}.json", "w", encoding="utf-8") as file:
        json.dump({"version": "1.1", "data": kept}, file, ensure_ascii=False)
PY
      printf '%s\n' --train "en=$OUT/squad-train.json" --valid "en=$OUT/squad-valid.json"
      for language in en $LANGUAGES; do
        tests squad "$language" "$AMBER_DATA/qa/xquad/xquad.$language.json"
      done ;;
    *) echo "xtreme: no such task: $1" >&2; return 2 ;;
  esac
}

tokenizer=$DATA
[ -e "$DATA/dict.txt" ] || tokenizer=${ENCODERS%% *} tokenizer=${tokenizer#*=}
for task in $TASKS; do
  sources "$task" >"$OUT/sources"
  given=$(cat "$OUT/sources")
  given=${given//"$OUT/"/} # the parts that this recipe makes of a file
  if [ ! -e "$DATA-$task/task.json" ]; then
    flags=()
    while IFS= read -r word; do flags+=("$word"); done <"$OUT/sources"
    fairseq-amber prepare-task "$task" "$DATA-$task" --tokenizer "$tokenizer" "${flags[@]}"
    echo "$given" >"$DATA-$task.sources"
  elif [ -e "$DATA-$task.sources" ] && [ "$given" != "$(cat "$DATA-$task.sources")" ]; then
    refuse "$DATA-$task was prepared from other files ($DATA-$task.sources): give another DATA, or remove both"
  fi
done

# shellcheck disable=SC2086  # several words
python - "$DATA-${TASKS%% *}" $ENCODERS >/dev/null <<'PY'
import sys
from pathlib import Path
from fairseq_amber.convert.reading import read_source
from fairseq_amber.convert.vocabulary import load_vocabulary
from fairseq_amber.errors import UserError, one_line

folder, *encoders = sys.argv[1:]
try:
    for encoder in encoders:
        read_source(Path(encoder.partition("=")[2]), expected=load_vocabulary(Path(folder)))
except UserError as error:
    said = one_line(str(error))
    print(f"xtreme: the ENCODERS of a run have one vocabulary: {said}", file=sys.stderr)
    sys.exit(2)
PY

settings() { # task -> what finetune_xtreme.sh takes in place of its defaults
  local entry
  for entry in $TASK_LANGUAGES; do
    [ "${entry%%=*}" != "$1" ] || echo "TEST_LANGUAGES=${entry#*=}"
  done
  # A model of a hundredth of BERT's size, on a fraction of the labels, wants larger steps and
  # shorter windows than XTREME's.
  case $SETTINGS in
    small) ;;
    xtreme) return 0 ;;
    *) awk -F '\t' -v name="$1" '$1 == name { print $2 }' "$SETTINGS"; return 0 ;;
  esac
  case $1 in
    pos | ner) echo "BATCH=32 UPDATE_FREQ=1 EPOCHS=1 LR=5e-4 EVERY=200" ;;
    xnli) echo "BATCH=32 UPDATE_FREQ=1 EPOCHS=3 LR=3e-4 EVERY=200" ;;
    pawsx) echo "BATCH=32 UPDATE_FREQ=1 EPOCHS=3 LR=3e-4 EVERY=50" ;;
    squad) echo "BATCH=16 UPDATE_FREQ=2 EPOCHS=2 LR=5e-4 WARMUP=50 LENGTH=256 EVERY=300" ;;
  esac
}
for task in $TASKS; do
  seeds=$SEEDS
  case " $DEAR " in *" $task "*) seeds=$DEAR_SEEDS ;; esac
  for encoder in $ENCODERS; do
    for seed in $seeds; do
      line="$task $seed ${encoder%%=*} ${encoder#*=} $(settings "$task" | tr '\n' ' ')"
      echo "${line% }" # xargs joins a line that ends in a blank with the next
    done
  done
done >"$OUT/runs"
# shellcheck disable=SC2016  # the inner bash expands it
DATA=$DATA NAME=$NAME xargs -P "$JOBS" -L 1 bash -c '
  task=$0 seed=$1 system=$2 checkpoint=$3
  shift 3
  echo "== $task: $system, seed $seed"
  env "$@" SEEDS="$seed" SYSTEM="$system" bash scripts/finetune_xtreme.sh "$checkpoint" \
    "$DATA-$task" "$NAME/$task-$system" >"runs/$NAME/$task-$system-$seed.log" 2>&1 ||
    { echo "xtreme: failed: runs/$NAME/$task-$system-$seed.log ends:" >&2
      tail -n 3 "runs/$NAME/$task-$system-$seed.log" >&2; exit 255; }' <"$OUT/runs"

results=()
while read -r task seed system _; do
  # none where the test files have blank labels
  [ ! -e "$OUT/$task-$system/$seed/test.json" ] || results+=("$OUT/$task-$system/$seed/test.json")
done <"$OUT/runs"
[ ${#results[@]} -gt 0 ] || { echo "no test file has labels; predictions: $OUT/*/*/predictions"; exit; }
fairseq-amber report "${results[@]}" --output "$OUT/report"
echo "$OUT/report"
