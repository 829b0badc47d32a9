#!/usr/bin/env bash
# Fetches public data from its homes and lays it out for the recipes.
#
#   bash scripts/fetch_data.sh opus RAW          # parallel text: {train,valid}.<src>-<tgt>.<lang>
#   bash scripts/fetch_data.sh wikipedia RAW     # sentences of Wikipedia: {train,valid}.<lang>
#   bash scripts/fetch_data.sh tatoeba TATOEBA   # LASER's test sets: tatoeba.<iso3>-eng.<iso3|eng>
#   bash scripts/fetch_data.sh gold GOLD         # word alignments: test.<src>-<tgt>.{<src>,<tgt>,gold}
#   bash scripts/fetch_data.sh xtreme download   # XTREME's tasks, for prepare-task --xtreme
#   SHOW=1 PAIRS="de-en sw-en" bash scripts/fetch_data.sh opus RAW     # only says what it would fetch
#
# scripts/fetch_data.tsv lists every file, its home, and its size and digest where they are known.
# Downloads lie in DIR/downloads, their digests in DIR/SHA256SUMS. Interrupted, or cut off by the
# network, the same command continues; what is there already is not fetched again. One run at a time
# works in a DIR.
[ -n "${BASH_VERSION:-}" ] || { echo "fetch_data: error: sh is too little: bash $0" >&2; exit 2; }
set -euo pipefail
set -f # a * in a variable stays a *
exec 3>&2 # for what is said while a program's messages go to a file
say() { echo "fetch_data: $*" >&3; }
fail() { say "error: $*"; exit 2; }
[ $# -eq 2 ] || { sed -n '2,14s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 2; }
WHAT=$1
DIR=$2
CDPATH='' HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

LIST=${LIST:-xlm}                        # of opus: xlm (XLM's corpora, AMBER's too) or ot (arXiv 2110.02887, Table 6)
PAIRS=${PAIRS:-}                         # of opus, gold: such as "de-en zh-en"; default: all
CORPORA=${CORPORA:-}                     # of opus: in place of LIST, such as "Europarl TED2020/v1"; of gold: sets
LANGUAGES=${LANGUAGES:-}                 # of the others: such as "de en zh"; default: all
TASKS=${TASKS:-"pos xnli pawsx squad mlqa tydiqa bucc"} # of xtreme; ner needs a file got by hand
VALID=${VALID:-5000}                     # of opus, wikipedia: sentences held out of each text
DUMP=${DUMP:-latest}                     # of wikipedia: or a date, such as 20201001
SHOW=${SHOW:-}                           # 1: only print what would be fetched
ACCEPT=${ACCEPT:-}                       # 1: take a file although its digest is not the known one
RETRIES=${RETRIES:-3}                    # of a download that breaks off
PYTHON=${PYTHON:-python3}

OPUS_URL=${OPUS_URL:-https://object.pouta.csc.fi}
IITB_URL=${IITB_URL:-http://www.cfilt.iitb.ac.in/iitb_parallel}
WIKIPEDIA_URL=${WIKIPEDIA_URL:-https://dumps.wikimedia.org}
GITHUB_URL=${GITHUB_URL:-https://raw.githubusercontent.com}
WPT_URL=${WPT_URL:-http://web.eecs.umich.edu/~mihalcea}
XNLI_URL=${XNLI_URL:-https://dl.fbaipublicfiles.com}
MLQA_URL=${MLQA_URL:-https://dl.fbaipublicfiles.com}
PAWSX_URL=${PAWSX_URL:-https://storage.googleapis.com}
TYDIQA_URL=${TYDIQA_URL:-https://storage.googleapis.com}
SQUAD_URL=${SQUAD_URL:-https://rajpurkar.github.io}
UD_URL=${UD_URL:-https://lindat.mff.cuni.cz/repository/xmlui/bitstream/handle}
BUCC_URL=${BUCC_URL:-https://comparable.limsi.fr}
TABLE=${TABLE:-$HERE/fetch_data.tsv}

XLM_LANGUAGES="ar bg de el en es fr hi ru sw th tr ur vi zh"
case $WHAT in
  opus | wikipedia | tatoeba | gold | xtreme) ;;
  *) fail "there is no $WHAT to fetch; there are opus, wikipedia, tatoeba, gold and xtreme" ;;
esac
[ -n "$DIR" ] || fail "DIR is empty: name the folder to fill"
case $WHAT in
  opus | gold) unread="LANGUAGES" ;;
  *) unread="PAIRS CORPORA" ;;
esac
for name in $unread; do
  [ -z "${!name}" ] || say "warning: $WHAT does not read $name=${!name}"
done
[[ $VALID =~ ^[0-9]+$ ]] || fail "VALID=$VALID is not a number"
for tool in curl "$PYTHON"; do
  command -v "$tool" >/dev/null || fail "$tool is not installed: install it, or put it on the PATH"
done
[[ $DUMP =~ ^(latest|[0-9]{8})$ ]] || fail "DUMP=$DUMP is neither latest nor a date such as 20201001"
for word in $LANGUAGES; do
  [[ $word =~ ^[A-Za-z]+([-_][A-Za-z]+)*$ ]] || fail "LANGUAGES: $word is not a language such as de"
done
for word in $PAIRS; do
  [[ $word =~ ^[A-Za-z_]+-[A-Za-z_]+$ ]] || fail "PAIRS: $word is not a pair such as de-en"
done
part='[A-Za-z0-9_][A-Za-z0-9._-]*'
for word in $CORPORA; do
  [[ $word =~ ^$part(/$part)?$ && $word != *..* ]] ||
    fail "CORPORA: $word is neither NAME nor NAME/VERSION, such as Europarl or TED2020/v1"
done
"$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 8))' ||
  fail "$PYTHON is older than Python 3.8: name a newer one, PYTHON=python3.11"
# shellcheck source=scripts/fetch_data_download.sh
. "$HERE/fetch_data_download.sh"

rows() { # set, key -> the table's lines of WHAT, of this set and key ("" for any)
  awk -F '\t' -v what="$WHAT" -v set="$1" -v key="$2" '
    $1 == what && (set == "" || $2 == set) && (key == "" || $3 == key)' "$TABLE"
}
distinct() { awk -F '\t' -v n="$1" '!seen[$n]++ { print $n }'; } # field of the lines on stdin
spaced() { tr '\n' ' ' | sed 's/ $//'; }
has() { # list, word
  case " $1 " in *" $2 "*) return 0 ;; esac
  return 1
}

is_laid_out() { # name, settings: whether it was laid out so, and every file is there still
  local listing=$DIR/.fetched/$WHAT-$1 path paths
  [ -f "$listing" ] && [ "$(head -n 1 "$listing")" = "$2" ] || return 1
  paths=$(tail -n +2 "$listing") || return 1
  while IFS= read -r path; do
    [ -f "$DIR/$path" ] || return 1
  done <<<"$paths"
  say "$WHAT $1: there already"
}

lay_out() { # name, settings, options of scripts/fetch_data: lays out files
  local name=$1 settings=$2
  shift 2
  [ -z "$SHOW" ] || return 0
  run "$PYTHON" "$HERE/fetch_data" "$WHAT" "$DIR" "$name" "${files[@]}" \
    --listing "$DIR/.fetched/$WHAT-$name" --settings "$settings" "$@" ||
    { forget_damaged; exit 2; }
  remember
}

download_rows() { # lines of the table
  local variable path bytes digest
  [ -n "$1" ] || fail "$TABLE has no file for this"
  while IFS=$'\t' read -r _ _ _ variable path bytes digest; do
    download "$variable" "$path" "$bytes" "$digest"
  done <<<"$1"
}

opus() { # one pair
  local pair=$1 corpora=$CORPORA corpus sorted found settings known
  sorted=$(tr - '\n' <<<"$pair" | LC_ALL=C sort | paste -s -d - -)
  [ -n "$corpora" ] || corpora=$(awk -F '\t' -v list="$LIST" -v pair="$pair" -v other="${pair#*-}-${pair%-*}" '
    $1 == "list" && $2 == list && ($3 == pair || $3 == other) { print $4 }' "$TABLE")
  [ -n "$corpora" ] ||
    fail "LIST=$LIST has no corpora for $pair: name some, such as CORPORA=\"Europarl TED2013\""
  settings="$corpora, VALID=$VALID"
  ! is_laid_out "$pair" "$settings" || return 0
  files=()
  for corpus in $corpora; do
    found=$(rows "$corpus" "$sorted")
    [ -n "$found" ] || found=$(rows "$corpus" '*' | sed "s/PAIR/$sorted/")
    if [ -z "$found" ] && [[ $corpus = */* ]]; then
      found="opus	x	x	OPUS_URL	OPUS-$corpus/moses/$sorted.txt.zip	-	-"
    fi
    known=$(rows "" "" | distinct 2 | spaced)
    [ -n "$found" ] ||
      fail "CORPORA: $corpus has no $pair here; there are $known, and any of OPUS's as NAME/VERSION"
    download_rows "$found"
  done
  lay_out "$pair" "$settings" --valid "$VALID"
}

gold() { # one pair, the sets to look in
  local pair=$1 name found="" from
  for name in $2; do
    [ -n "$found" ] || found=$(rows "$name" "$pair")
  done
  [ -n "$found" ] || fail "PAIRS: no gold alignments for $pair in $2; there are" \
    "$(rows "" "" | distinct 3 | spaced)"
  from=$(distinct 2 <<<"$found")
  ! is_laid_out "$pair" "$from" || return 0
  files=()
  download_rows "$found"
  lay_out "$pair" "$from" --set "$from"
}

task() { # one of XTREME's, and for squad XQuAD
  local name=$1 found language languages=$LANGUAGES settings
  settings="languages: ${LANGUAGES:-all}"
  ! is_laid_out "$name" "$settings" || return 0
  files=()
  if [ "$name" = ner ]; then
    files=("$DIR/AmazonPhotos.zip")
  elif [[ $name = xquad || $name = bucc ]]; then
    for language in ${languages:-$(rows "$name" "" | distinct 3)}; do
      found=$(rows "$name" "$language")
      [ -z "$found" ] || download_rows "$found"
    done
    [ ${#files[@]} -gt 0 ] || { say "$name has none of $languages"; return 0; }
  else
    found=$(rows "$name" "")
    download_rows "$found"
  fi
  lay_out "$name" "$settings" --languages "$languages"
}

[ -n "$SHOW" ] || { { mkdir -p "$DIR/downloads" "$DIR/.fetched" 2>/dev/null ||
  fail "cannot make folders in $DIR: name one that you can write to"; } && lock; }
case $WHAT in
  opus)
    [ "$LIST" = xlm ] || [ "$LIST" = ot ] || fail "LIST=$LIST: there are xlm and ot"
    for pair in ${PAIRS:-$(awk -F '\t' -v list="$LIST" '$1 == "list" && $2 == list { print $3 }' "$TABLE")}; do
      opus "$pair"
    done
    ;;
  wikipedia)
    for language in ${LANGUAGES:-$XLM_LANGUAGES}; do
      settings="DUMP=$DUMP, VALID=$VALID"
      ! is_laid_out "$language" "$settings" || continue
      files=()
      found=$(rows "" "" | sed "s/LANG/${language//-/_}/g; s/DUMP/$DUMP/g")
      download_rows "$found"
      lay_out "$language" "$settings" --valid "$VALID"
    done
    ;;
  tatoeba)
    known=$(rows "" "" | distinct 3 | spaced)
    for language in ${LANGUAGES:-$known}; do
      [ "$language" != en ] || continue # the other side of every pair
      has "$known" "$language" || fail "LANGUAGES: no Tatoeba for $language; there are $known"
      ! is_laid_out "$language" "" || continue
      files=()
      found=$(rows "" "$language")
      download_rows "$found"
      lay_out "$language" ""
    done
    ;;
  gold)
    sets=$(rows "" "" | distinct 2 | spaced)
    for name in $CORPORA; do
      has "$sets" "$name" || fail "CORPORA: there is no set $name; there are $sets"
    done
    sets=${CORPORA:-$sets}
    for pair in ${PAIRS:-$(for name in $sets; do rows "$name" ""; done | distinct 3)}; do
      gold "$pair" "$sets"
    done
    ;;
  xtreme)
    for name in $TASKS; do
      has "pos ner xnli pawsx squad mlqa tydiqa bucc" "$name" ||
        fail "TASKS: there is no $name; there are pos ner xnli pawsx squad mlqa tydiqa bucc"
      [ "$name" != ner ] || [ -f "$DIR/AmazonPhotos.zip" ] ||
        fail "PAN-X (ner) cannot be fetched by a program: open" \
          "https://www.amazon.com/clouddrive/share/d3KGCRCIYwhKJF0H3eWA26hjg2ZCRhjpEQtDL70FSBN," \
          "save the file as $DIR/AmazonPhotos.zip and run again, or leave ner out of TASKS"
    done
    for name in $TASKS; do
      task "$name"
      [ "$name" != squad ] || task xquad
    done
    ;;
esac
[ -n "$SHOW" ] || say "$DIR is complete; $DIR/downloads is not needed any more"
