#!/usr/bin/env bash
# Fine-tunes an encoder on the English labels of one of XTREME's tasks, keeps the best checkpoint by
# the English validation split, and tests it on every language of the folder.
#
#   bash scripts/finetune_xtreme.sh CHECKPOINT FOLDER NAME
#   SEEDS="1 2 3" PRECISION=--bf16 bash scripts/finetune_xtreme.sh CHECKPOINT FOLDER NAME
#
# CHECKPOINT is of fairseq-train with this plugin, or a pretrained folder as it is; FOLDER is what
# fairseq-amber prepare-task has made with its vocabulary, and says which task it is. runs/NAME/SEED
# gets checkpoint_best.pt, checkpoint_last.pt, predictions/ in XTREME's layout, and test.json where
# the test files have labels. On several GPUs of a machine fairseq-train takes all of them.
# Interrupted, the same command continues.
[ -n "${BASH_VERSION:-}" ] || { echo "finetune_xtreme: error: sh is too little: bash $0" >&2; exit 2; }
set -euo pipefail
[ $# -eq 3 ] || { sed -n '2,12s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 2; }
CHECKPOINT=$1
FOLDER=$2
NAME=$3
# shellcheck source=scripts/recipe_functions.sh
. "$(dirname "${BASH_SOURCE[0]}")/recipe_functions.sh"
paths CHECKPOINT FOLDER
run_names NAME
models CHECKPOINT
one_of SCHEDULE polynomial_decay constant
one_of KEEP_CHECKPOINTS yes no
CDPATH='' cd "$(dirname "${BASH_SOURCE[0]}")/.."

[ -f "$FOLDER/task.json" ] ||
  { echo "finetune_xtreme: $FOLDER holds no task.json of fairseq-amber prepare-task" >&2; exit 2; }
TASK=$(sed -n 's/^.*"task": *"\([a-z]*\)".*$/\1/p' "$FOLDER/task.json" | head -n 1)
KIND=$(sed -n 's/^.*"kind": *"\([a-z]*\)".*$/\1/p' "$FOLDER/task.json" | head -n 1)

# XTREME's settings for models of BERT's size (google-research/xtreme, scripts/train_*.sh)
case $KIND in
  tagging)
    EPOCHS=${EPOCHS:-10} LR=${LR:-2e-5} WARMUP=${WARMUP:-0} WEIGHT_DECAY=${WEIGHT_DECAY:-0}
    METRIC=f1 EVERY=${EVERY:-$([ "$TASK" = ner ] && echo 1000 || echo 500)} ;;
  classification)
    EPOCHS=${EPOCHS:-5} LR=${LR:-2e-5} WARMUP=${WARMUP:-0} WEIGHT_DECAY=${WEIGHT_DECAY:-0}
    METRIC=accuracy EVERY=${EVERY:-$([ "$TASK" = xnli ] && echo 100 || echo 200)} ;;
  qa)
    EPOCHS=${EPOCHS:-3} LR=${LR:-3e-5} WARMUP=${WARMUP:-500} WEIGHT_DECAY=${WEIGHT_DECAY:-1e-4}
    METRIC=f1 EVERY=${EVERY:-1000} ;;
  *) echo "finetune_xtreme: $FOLDER/task.json is damaged: run prepare-task again" >&2; exit 2 ;;
esac
SCHEDULE=${SCHEDULE:-polynomial_decay}   # after the warm-up: down to 0, or constant
ADAM_BETAS=${ADAM_BETAS:-"(0.9, 0.999)"}
ADAM_EPS=${ADAM_EPS:-1e-8}
CLIP_NORM=${CLIP_NORM:-1.0}
OPTIMIZER_FLAGS=${OPTIMIZER_FLAGS:-}     # further flags of the optimiser and of its schedule
LENGTH=${LENGTH:-}                       # longest row in subwords; default: XTREME's, 128 and 384 (QA), at
                                         # positions that pre-training on shorter rows never trained
STRIDE=${STRIDE:-}                       # between windows of question answering; default: XTREME's
TRAIN_LANGUAGES=${TRAIN_LANGUAGES:-en}   # comma-separated
TEST_LANGUAGES=${TEST_LANGUAGES:-}       # comma-separated; default: all of the folder
BATCH=${BATCH:-8}                        # examples that a GPU holds at once
UPDATE_FREQ=${UPDATE_FREQ:-}             # batches in an update; default: 32 examples on all GPUs
SEEDS=${SEEDS:-1}
ARCH=${ARCH:-amber}                      # the shape is the checkpoint's
MODEL_FLAGS=${MODEL_FLAGS:-}             # such as dropout (0.1)
PRECISION=${PRECISION:-}                 # --fp16 or --bf16 on GPUs
WORKERS=${WORKERS:-0}                    # processes that make batches
SYSTEM=${SYSTEM:-$NAME}                  # what the tables call this model
KEEP_CHECKPOINTS=${KEEP_CHECKPOINTS:-yes} # no: removed once they are tested; other test files train anew
FLAGS=${FLAGS:-}                         # further flags of fairseq-train
whole_words SEEDS
whole_numbers 1 EPOCHS BATCH
whole_numbers 0 WARMUP WORKERS EVERY
for name in LENGTH STRIDE UPDATE_FREQ; do
  [ -z "${!name}" ] || whole_numbers 1 "$name"
done
# said by fairseq about its own code
export PYTHONWARNINGS="ignore::UserWarning,ignore::FutureWarning,ignore::DeprecationWarning"

bash scripts/setup.sh
export PATH="$PWD/${AMBER_VENV:-.venv}/bin:$PATH"
trap 'echo "finetune_xtreme: interrupted; the same command continues" >&2; exit 130' INT TERM

GPUS=$(gpu_count)
device=()
[ "$GPUS" -gt 0 ] || device=(--cpu)
user_dir=$(fairseq-amber user-dir)
flags=("$FOLDER" --user-dir "$user_dir" --task "xtreme_$KIND" --criterion "xtreme_$KIND"
  --train-languages "$TRAIN_LANGUAGES"
  --arch "$ARCH" ${LENGTH:+--max-length "$LENGTH"} ${device[@]+"${device[@]}"})
[ "$KIND" != qa ] || [ -z "$STRIDE" ] || flags+=(--doc-stride "$STRIDE")

GPUS=$((GPUS > 0 ? GPUS : 1))
UPDATE_FREQ=${UPDATE_FREQ:-$((32 > BATCH * GPUS ? 32 / (BATCH * GPUS) : 1))}
SIZE=$((BATCH * UPDATE_FREQ * GPUS))
# An example is a sentence, a pair, or a window over a context; the model's positions limit a row.
EXAMPLES=$(python - "$FOLDER" "$LENGTH" "$STRIDE" "$TRAIN_LANGUAGES" "$TEST_LANGUAGES" "$CHECKPOINT" <<'PY'
import sys
from pathlib import Path
from fairseq.data import Dictionary
from fairseq_amber.convert.reading import read_source
from fairseq_amber.convert.vocabulary import load_vocabulary
from fairseq_amber.errors import UserError, one_line
from fairseq_amber.data.layout import Specials
from fairseq_amber.data.finetuning.learning import learning_of
from fairseq_amber.data.finetuning.settings import DOC_STRIDE, RowSettings
from fairseq_amber.data.finetuning.task_folder import TaskFolder
from fairseq_amber.tasks.xtreme_checkpoints import warn_of_untrained_positions

folder, length, stride, languages, tested, checkpoint = sys.argv[1:]


def examples():
    dictionary = Dictionary.load(folder + "/dict.txt")
    dictionary.add_symbol("<mask>")
    source = read_source(Path(checkpoint), expected=load_vocabulary(Path(folder)))
    task = TaskFolder.open(folder)
    there = task.languages("test")
    missing = [name for name in tested.split(",") if tested and name not in there]
    if missing or not there:
        names = f" in {', '.join(missing)} (TEST_LANGUAGES)" if missing else ""
        raise UserError(f"{folder} has no test{names}; it has {', '.join(there) or 'none'}")
    learning = learning_of(task.kind)
    row = min(int(length or learning.config().max_length), source.model.shape.max_positions)
    warn_of_untrained_positions({"cfg": source.run}, checkpoint, row)
    settings = RowSettings(Specials.of(dictionary), row, doc_stride=int(stride or DOC_STRIDE))
    return len(learning.dataset(task, "train", languages.split(","), settings, training=True))


try:
    print(examples())
except UserError as error:
    print(f"finetune_xtreme: {one_line(str(error))}", file=sys.stderr)
    sys.exit(2)
PY
)
# shellcheck disable=SC2017  # whole updates an epoch
UPDATES=$(((EXAMPLES + SIZE - 1) / SIZE * EPOCHS))
optimizer_flags "$SCHEDULE" "$WARMUP" "$UPDATES"

# The machine's own, such as PRECISION and the share of GPUs in an update, may change in between.
settings="$(model_sum "$CHECKPOINT") $CHECKPOINT $FOLDER $EXAMPLES $TRAIN_LANGUAGES $LENGTH $STRIDE \
$EPOCHS $SIZE $EVERY $ARCH $MODEL_FLAGS ${optimizer[*]} $OPTIMIZER_FLAGS $FLAGS"
for seed in $SEEDS; do
  mkdir -p "runs/$NAME/$seed"
  same_settings "runs/$NAME/$seed/settings" "$settings"
done
# Further test files are tested, too, without another training.
tested="$SYSTEM: ${TEST_LANGUAGES:-all languages} of $(cksum <"$FOLDER/task.json")"

finetune() { # seed
  local out=runs/$NAME/$1
  [ "$(cat "$out/complete" 2>/dev/null)" != "$tested" ] || return 0
  # fairseq-train takes the last of two equal flags: the *FLAGS, of several words, win.
  # shellcheck disable=SC2086
  fairseq-train "${flags[@]}" --from-pretrained "$CHECKPOINT" \
    "${optimizer[@]}" --max-update "$UPDATES" --batch-size "$BATCH" \
    --update-freq "$UPDATE_FREQ" --seed "$1" --num-workers "$WORKERS" --save-dir "$out" \
    --best-checkpoint-metric "$METRIC" --maximize-best-checkpoint-metric --no-epoch-checkpoints \
    --validate-interval-updates "$EVERY" --save-interval-updates "$EVERY" --keep-interval-updates 1 \
    --tensorboard-logdir "$out/tensorboard" --log-format simple --log-interval 100 \
    $PRECISION $MODEL_FLAGS $OPTIMIZER_FLAGS $FLAGS \
    >>"$out/train.log" 2>&1 || fail "$out/train.log"
  fairseq-amber evaluate "$out/checkpoint_best.pt" "$FOLDER" --name "$SYSTEM" \
    ${TEST_LANGUAGES:+--languages "$TEST_LANGUAGES"} --predictions "$out/predictions" \
    --json "$out/test.json" >"$out/test.txt" 2>&1 ||
    fail "$out/test.txt"
  echo "$tested" >"$out/complete"
  [ "$KEEP_CHECKPOINTS" = yes ] || rm -f "$out"/checkpoint*.pt
}
fail() { # log
  echo "finetune_xtreme: failed: $1 ends:" >&2
  tail -n 3 "$1" >&2
  exit 1
}
echo "== $TASK: $EXAMPLES examples, $UPDATES updates of $SIZE, for seeds $SEEDS"
for seed in $SEEDS; do
  finetune "$seed"
done

results=()
for seed in $SEEDS; do
  # none where the test files have blank labels
  [ ! -e "runs/$NAME/$seed/test.json" ] || results+=("runs/$NAME/$seed/test.json")
done
cat "runs/$NAME/${SEEDS%% *}/test.txt"
[ ${#results[@]} -lt 2 ] || fairseq-amber report "${results[@]}" --output "runs/$NAME/report"
