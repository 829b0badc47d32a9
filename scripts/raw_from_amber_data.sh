#!/usr/bin/env bash
# Gathers the corpora in AMBER_DATA (docs/results/data.md) into one RAW folder for prepare:
# train and dev of the wanted pairs with English, and their monolingual text.
#
#   AMBER_DATA=... bash scripts/raw_from_amber_data.sh RAW de zh sw
#   CORPORA="tatoeba-anki tatoeba-mt" AMBER_DATA=... bash scripts/raw_from_amber_data.sh RAW fr ja
[ -n "${BASH_VERSION:-}" ] || { echo "raw_from_amber_data: error: sh is too little: bash $0" >&2; exit 2; }
set -euo pipefail
export LC_ALL=C  # one order everywhere
[ $# -ge 2 ] || { sed -n '2,6s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 2; }
: "${AMBER_DATA:?names the folder with parallel/ and mono/}"
CORPORA=${CORPORA:-$(cd "$AMBER_DATA/parallel" && echo *)}  # folders of parallel/ to take
raw=$1
shift
mkdir -p "$raw"
for language in "$@"; do
  for side in "$language" en; do
    for corpus in $CORPORA; do
      folder=$AMBER_DATA/parallel/$corpus
      [ -e "$folder/train.$language-en.$side" ] || continue
      cat "$folder/train.$language-en.$side" >&3
      # every corpus's share, in the same order on both sides
      [ ! -e "$folder/dev.$language-en.$side" ] || head -n 300 "$folder/dev.$language-en.$side" >&4
    done 3>"$raw/train.$language-en.$side" 4>"$raw/valid.$language-en.$side"
  done
done
for language in "$@" en; do
  mono=$AMBER_DATA/mono/$language.txt
  awk 'NR % 50 == 25' "$mono" >"$raw/valid.$language"
  # the language's side of the pairs is monolingual text as well
  { awk 'NR % 50 != 25' "$mono"; cat "$raw"/train.*-en."$language"; } | sort -u |
    comm -23 - <(sort -u "$raw/valid.$language") >"$raw/train.$language"
done
wc -l "$raw"/*
