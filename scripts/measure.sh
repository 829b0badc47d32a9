#!/usr/bin/env bash
# Everything that can be measured without labels, for one checkpoint or several side by side:
# retrieval by three similarities and at every layer, mining, word alignment by every method, with
# significance tests between the first two and pictures.
#
#   AMBER_DATA=... bash scripts/measure.sh OUT NAME=CHECKPOINT [NAME=CHECKPOINT ...]
#   DATA=data-bin/x TATOEBA=... BUCC=... GOLD=... bash scripts/measure.sh OUT NAME=CHECKPOINT
#
# A CHECKPOINT may be a pretrained folder as it is. Without DATA each has the vocabulary of its own.
# Interrupted, the same command continues; OUT/report, OUT/report-similarity and OUT/report-method
# hold the tables and pictures. Folders that are not given are left out.
[ -n "${BASH_VERSION:-}" ] || { echo "measure: error: sh is too little: bash $0" >&2; exit 2; }
set -euo pipefail
[ $# -ge 2 ] || { sed -n '2,12s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 2; }
OUT=$1
shift
# shellcheck source=scripts/recipe_functions.sh
. "$(dirname "${BASH_SOURCE[0]}")/recipe_functions.sh"
paths DATA TATOEBA BUCC GOLD AMBER_DATA
new_paths OUT
systems=()
for system in "$@"; do
  case $system in ?*=?*) ;; *) refuse "$system is not NAME=CHECKPOINT" ;; esac
  checkpoint=${system#*=}
  paths checkpoint
  models checkpoint
  systems+=("${system%%=*}=$checkpoint")
done
set -- "${systems[@]}"
plain_names NAME "${@%%=*}"
[ ! -e "$OUT" ] || [ -d "$OUT" ] || refuse "OUT=$OUT is not a folder"
CDPATH='' cd "$(dirname "${BASH_SOURCE[0]}")/.."

DATA=${DATA:-}                           # default: what each checkpoint was trained on, or its folder
TATOEBA=${TATOEBA-${AMBER_DATA:+$AMBER_DATA/retrieval/tatoeba}}
TATOEBA_PAIRS=${TATOEBA_PAIRS-deu-eng,fra-eng,spa-eng,rus-eng,cmn-eng}
BUCC=${BUCC-}                            # <pair>.{dev,test}.{<lang>,gold}
BUCC_PAIRS=${BUCC_PAIRS-}
GOLD=${GOLD-${AMBER_DATA:+$AMBER_DATA/align_gold/awesome-align-examples}}
GOLD_PAIRS=${GOLD_PAIRS-en-fr,zh-en}
METHODS=${METHODS:-"similarity itermax attention transport unbalanced"}
PREFIX=${PREFIX-}                        # in front of each sentence that is sought, such as E5's "query: "
ALIGN_LAYER=${ALIGN_LAYER:--1}           # of the states; -1: the last, which the recipes train
PLOT=${PLOT:-9}                          # the pair of the first gold file that is drawn
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}

each_once METHODS
each_of METHODS similarity itermax attention transport unbalanced softmax entmax
whole_numbers 1 PLOT
numbers ALIGN_LAYER
[ -n "$TATOEBA$BUCC$GOLD${AMBER_DATA:-}" ] ||
  refuse "give AMBER_DATA, or at least one of TATOEBA, BUCC and GOLD"
bash scripts/setup.sh
export PATH="$PWD/${AMBER_VENV:-.venv}/bin:$PATH"
alone "$OUT"
trap 'echo "measure: interrupted; the same command continues" >&2; exit 130' INT TERM
stamp= # of the checkpoint that is measured: another one may have its name by now
step() { # what to make, command: unless that very command has made it to its end
  local made=$1
  shift
  [ ! -e "$made.made-by" ] || [ "$(cat "$made.made-by")" != "$stamp $*" ] || return 0
  mkdir -p "$(dirname "$made")"
  rm -rf "$made" "$made.made-by"
  "$@"
  echo "$stamp $*" >"$made.made-by"
}

if [ -z "$BUCC" ] && [ -n "${AMBER_DATA:-}" ]; then
  # AMBER_DATA has one set a pair: every second sentence pair of its gold, with every
  # second sentence without one, is the test set.
  BUCC=$OUT/bucc BUCC_PAIRS=${BUCC_PAIRS:-de-en,fr-en,ru-en,zh-en}
  step "$BUCC" python - "$AMBER_DATA/retrieval" "$BUCC" <<'PY'
import sys
from pathlib import Path

source, out = map(Path, sys.argv[1:])
out.mkdir()
for gold in sorted([*source.glob("bucc2018/*.dev.gold"), *source.glob("bucc_style/*.dev.gold")]):
    name = gold.name.split(".")[0]
    links = [line.split("\t") for line in gold.read_text(encoding="utf-8").splitlines()]
    for split, parity in (("dev", 0), ("test", 1)):
        kept = links[parity::2]
        lines = "".join("\t".join(link) + "\n" for link in kept)
        (out / f"{name}.{split}.gold").write_text(lines, encoding="utf-8")
        for side, language in enumerate(name.split("-")):
            linked = {link[side] for link in links}
            wanted = {link[side] for link in kept}
            path = gold.with_name(f"{name}.dev.{language}")
            text = path.read_text(encoding="utf-8").splitlines()
            others = [line for line in text if line.split("\t")[0] not in linked]
            wanted |= {line.split("\t")[0] for line in others[parity::2]}
            mine = [line + "\n" for line in text if line.split("\t")[0] in wanted]
            (out / f"{name}.{split}.{language}").write_text("".join(mine), encoding="utf-8")
PY
fi

names=()
results=()
similarities=()
methods=()
pictures=()
space=()
data=(${DATA:+--data "$DATA"})
prefix=(${PREFIX:+--prefix "$PREFIX"})
for system in "$@"; do
  name=${system%%=*} checkpoint=${system#*=}
  names+=("$name")
  here=$OUT/$name
  stamp=$(model_sum "$checkpoint")
  echo "== $name"
  if [ -n "$TATOEBA" ]; then
    pairs=(${TATOEBA_PAIRS:+--pairs "$TATOEBA_PAIRS"})
    for similarity in cosine csls margin; do
      layers=()
      title="$name, $similarity"
      [ "$similarity" != cosine ] || layers=(--layers all --layer -1)
      step "$here/tatoeba-$similarity.json" fairseq-amber retrieve "$checkpoint" \
        ${data[@]+"${data[@]}"} --folder "$TATOEBA" --split tatoeba ${pairs[@]+"${pairs[@]}"} \
        ${prefix[@]+"${prefix[@]}"} \
        --similarity "$similarity" ${layers[@]+"${layers[@]}"} \
        --name "$([ "$similarity" = cosine ] && echo "$name" || echo "$title")" \
        --json "$here/tatoeba-$similarity.json"
      similarities+=("$here/tatoeba-$similarity.json")
    done
    results+=("$here/tatoeba-cosine.json")
    space+=(--space "$name=$checkpoint")
    first=$(first_of "$TATOEBA_PAIRS" "$TATOEBA" tatoeba. "")
    step "$here/$first.npy" fairseq-amber embed "$checkpoint" \
      "$(text_file "$TATOEBA/tatoeba.$first.${first%-*}")" "$here/$first.npy" ${data[@]+"${data[@]}"} \
      ${prefix[@]+"${prefix[@]}"}
  fi
  if [ -n "$BUCC" ]; then
    step "$here/bucc.json" fairseq-amber mine "$checkpoint" ${data[@]+"${data[@]}"} --folder "$BUCC" \
      ${prefix[@]+"${prefix[@]}"} ${BUCC_PAIRS:+--pairs "$BUCC_PAIRS"} --name "$name" --output "$here/mined" \
      --json "$here/bucc.json"
    results+=("$here/bucc.json")
  fi
  if [ -n "$GOLD" ]; then
    pair=$(first_of "$GOLD_PAIRS" "$GOLD" test. .gold)
    for method in $METHODS; do
      flags=(--method "$method" --layer "$ALIGN_LAYER")
      case $method in
        attention) flags=(--method attention) ;; # it reads the last layer alone
        unbalanced) flags=(--method transport --reach 0.3 --layer "$ALIGN_LAYER") ;;
      esac
      step "$here/$method/alignments" fairseq-amber align "$checkpoint" ${data[@]+"${data[@]}"} \
        --folder "$GOLD" ${GOLD_PAIRS:+--pairs "$GOLD_PAIRS"} "${flags[@]}" \
        --output "$here/$method/alignments"
      step "$here/$method/aer.json" fairseq-amber aer "$here/$method/alignments" "$GOLD" \
        --name "$name, $method" --json "$here/$method/aer.json"
      methods+=("$here/$method/aer.json")
    done
    step "$here/aer.json" fairseq-amber aer "$here/${METHODS%% *}/alignments" "$GOLD" --name "$name" \
      --json "$here/aer.json"
    results+=("$here/aer.json")
    step "$here/heatmap.png" fairseq-amber align "$checkpoint" ${data[@]+"${data[@]}"} \
      --source "$(text_file "$GOLD/test.$pair.${pair%-*}")" \
      --target "$(text_file "$GOLD/test.$pair.${pair#*-}")" \
      --layer "$ALIGN_LAYER" --output "$here/heatmap.align" --plot "$PLOT" "$here/heatmap.png"
    pictures+=(--heatmap "Similarity of the word states of $name=$here/heatmap.png")
  fi
done

compare=()
[ ${#names[@]} -lt 2 ] || compare=(--compare "${names[0]}" "${names[1]}")
[ ${#space[@]} -eq 0 ] || space+=(--space-folder "$TATOEBA" --space-split tatoeba
  ${TATOEBA_PAIRS:+--space-pairs "$TATOEBA_PAIRS"} --space-sentences 40
  ${DATA:+--space-data "$DATA"} ${PREFIX:+--space-prefix "$PREFIX"})
fairseq-amber report "${results[@]}" --output "$OUT/report" ${compare[@]+"${compare[@]}"} \
  ${space[@]+"${space[@]}"} ${pictures[@]+"${pictures[@]}"}
[ ${#similarities[@]} -eq 0 ] ||
  fairseq-amber report "${similarities[@]}" --output "$OUT/report-similarity"
[ ${#methods[@]} -eq 0 ] || fairseq-amber report "${methods[@]}" --output "$OUT/report-method"
echo "$OUT/report"
