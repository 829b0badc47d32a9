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
# shellcheck source=scripts/recipe_functions.sh
. "$(dirname "${BASH_SOURCE[0]}")/recipe_functions.sh"
: "${AMBER_DATA:?names the folder with parallel/ and mono/}"
[ -d "$AMBER_DATA/parallel" ] || refuse "AMBER_DATA=$AMBER_DATA has no folder parallel: name another"
for corpus in ${CORPORA:-}; do
  [ -d "$AMBER_DATA/parallel/$corpus" ] || refuse "CORPORA: $AMBER_DATA/parallel has no $corpus"
done
CORPORA=${CORPORA:-$(CDPATH='' cd "$AMBER_DATA/parallel" && echo *)}  # folders of parallel/ to take
raw=$1
shift

texts() { # split, language, side -> the files of the corpora with training text, in their order
  local corpus text other
  for corpus in $CORPORA; do
    text_file "$AMBER_DATA/parallel/$corpus/train.$2-en.$3" >/dev/null || [ "$1" = train ] || continue
    text=$(text_file "$AMBER_DATA/parallel/$corpus/$1.$2-en.$3") || text=
    other=$2
    [ "$3" != "$2" ] || other=en
    other=$(text_file "$AMBER_DATA/parallel/$corpus/$1.$2-en.$other") || other=
    [ -n "$text" ] || [ -z "$other" ] || refuse "$other is without its other side, $1.$2-en.$3"
    [ -z "$text" ] || echo "$text"
  done
}
mono_of() { text_file "$AMBER_DATA/mono/$1.txt" || refuse "$AMBER_DATA/mono has no $1.txt"; }

mono_of en >/dev/null
for language in "$@"; do
  [ "$language" != en ] || refuse "en is the other side of every pair: leave it out"
  mono_of "$language" >/dev/null
  for side in "$language" en; do
    found=$(texts train "$language" "$side")
    [ -n "$found" ] || refuse "no corpus has train.$language-en.$side: $CORPORA"
  done
done
mkdir -p "$raw"
for language in "$@"; do
  for side in "$language" en; do
    trains=$(texts train "$language" "$side") devs=$(texts dev "$language" "$side")
    while IFS= read -r text; do plain_text "$text"; done <<<"$trains" >"$raw/train.$language-en.$side"
    # every corpus's share, in the same order on both sides
    while IFS= read -r text; do
      [ -z "$text" ] || plain_text "$text" | awk 'NR <= 300'
    done <<<"$devs" >"$raw/valid.$language-en.$side"
    [ -s "$raw/valid.$language-en.$side" ] || rm "$raw/valid.$language-en.$side" # prepare takes none
  done
done
for language in "$@" en; do
  mono=$(mono_of "$language")
  plain_text "$mono" | awk 'NR % 50 == 25' >"$raw/valid.$language"
  # the language's side of the pairs is monolingual text as well
  { plain_text "$mono" | awk 'NR % 50 != 25'; cat "$raw"/train.*-en."$language"; } | sort -u |
    comm -23 - <(sort -u "$raw/valid.$language") >"$raw/train.$language"
done
wc -l "$raw"/*
