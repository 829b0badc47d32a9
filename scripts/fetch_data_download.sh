#!/usr/bin/env bash
# Of scripts/fetch_data.sh: downloads files whole or not at all, checks their digests, and keeps a
# second run out of the folder.
# shellcheck disable=SC2154  # fetch_data.sh assigns them

if command -v sha256sum >/dev/null; then
  sha256() { sha256sum <"$1" | cut -d ' ' -f 1; }
else
  sha256() { shasum -a 256 <"$1" | cut -d ' ' -f 1; }
fi

locked="" # the lock while this run has it: its process and machine, then what it has started
lock() {
  local path=$DIR/.fetched/lock text machine last process
  for _ in 1 2 3; do
    if (set -o noclobber && echo "$$ $(uname -n)" >"$path") 2>/dev/null; then
      locked=$path
      trap 'rm -f "$locked"' EXIT
      return
    fi
    [ -f "$path" ] || fail "$path cannot be written"
    text=$(cat "$path" 2>/dev/null || true)
    [ -n "$text" ] || { sleep 1; text=$(cat "$path" 2>/dev/null || true); } # it is being written
    machine=$(awk 'NR == 1 { print $2 }' <<<"$text")
    [ -z "$text" ] || [ "$machine" = "$(uname -n)" ] ||
      fail "a run on $machine works in $DIR: wait for it, or remove $path if it has ended"
    # where the shell was killed, what it started last may live on
    last=${text##*$'\n'}
    for process in "${text%% *}" "${last%% *}"; do
      [ -z "$process" ] || [ "$process" = $$ ] || ! kill -0 "$process" 2>/dev/null ||
        fail "process $process of another run works in $DIR: wait for it, or end it; if it is" \
          "something else, remove $path"
    done
    mv "$path" "$path.$$" 2>/dev/null || continue
    [ "$(cat "$path.$$")" = "$text" ] || mv "$path.$$" "$path" # another run was faster
    rm -f "$path.$$"
  done
  fail "another run begins in $DIR, or its disk is full"
}

job=""
interrupted() {
  trap '' HUP INT TERM
  [ -z "$job" ] || { kill "$job" && wait "$job"; } 2>/dev/null || true
  say "interrupted; the same command continues"
  exit 130
}
trap interrupted HUP INT TERM
run() { # in the background, where a signal to this shell is heard at once
  local status=0
  "$@" </dev/null 3>&- &
  job=$!
  [ -z "$locked" ] || { echo "$job" >>"$locked"; } 2>/dev/null || true
  wait "$job" || status=$?
  job=""
  return "$status"
}

files=()
pending=() # lines for SHA256SUMS, until the files have been read well
download() { # variable with the home, path there, bytes, digest -> adds the file to files
  local url=${!1%/}/$2 file=$DIR/downloads/$2 digest
  files+=("$file")
  if [ -n "$SHOW" ]; then
    echo "$url	$3 bytes	SHA-256 $4"
    return
  fi
  if [ ! -f "$file" ]; then
    mkdir -p "$(dirname "$file")"
    say "$url"
    transfer "$url" "$file.part" "$3"
  fi
  check "$url" "$file" "$3" "$4" "downloads/$2"
}

transfer() { # URL, file, bytes
  local tries=0 status code validator
  enough_room "$2" "$3"
  while :; do
    local options=(--silent --show-error --location --fail --connect-timeout 30 --speed-limit 1
      --speed-time 60 --output "$2" --write-out '%{http_code}')
    if [ -s "$2" ]; then
      # the rest of the same file, or the whole of the one that has replaced it
      validator=$(tr -d '\r' <"$2.head" 2>/dev/null | awk '
        tolower($1) == "etag:" && $2 !~ /^W/ { sub(/^[^:]*: */, ""); etag = $0 }
        tolower($1) == "last-modified:" { sub(/^[^:]*: */, ""); modified = $0 }
        END { print (etag != "" ? etag : modified) }' || true)
      options+=(--continue-at - ${validator:+--header "If-Range: $validator"})
    else
      options+=(--dump-header "$2.head")
    fi
    status=0
    run curl "${options[@]}" "$1" >"$2.code" 2>"$2.log" || status=$?
    [ "$status" -ne 0 ] || [ -f "$2" ] || : >"$2" # some curls write no empty file
    code=$(cat "$2.code" 2>/dev/null || true)
    case $status in
      0) rm -f "$2.code" "$2.log" "$2.head"; return ;;
      33 | 36) rm -f "$2" "$2.head" ;; # this server cannot continue, or the file is another now
      22)
        [ "$code" != 416 ] || { rm -f "$2" "$2.head"; tries=$((tries + 1)); }
        [[ $code = 416 && $tries -le $RETRIES ]] || explain "$status" "$code" "$@"
        ;;
      18 | 28 | 52 | 55 | 56 | 92)
        tries=$((tries + 1))
        [ "$tries" -le "$RETRIES" ] || explain "$status" "$code" "$@"
        run sleep "$tries"
        ;;
      *) explain "$status" "$code" "$@" ;;
    esac
  done
}

explain() { # curl's status, HTTP's code, URL, file
  local what
  what=$(tail -n 1 "$4.log" 2>/dev/null | sed 's/^curl: ([0-9]*) //')
  rm -f "$4.code" "$4.log"
  case $1 in
    22)
      case $2 in
        404 | 410)
          fail "$3 is not there (HTTP $2): the home has moved or has no such text; leave it out, or" \
            "correct its line in scripts/fetch_data.tsv" ;;
        401 | 403) fail "$3 is not open to everyone (HTTP $2)" ;;
        *) fail "$3: the server answers HTTP $2; try again later" ;;
      esac ;;
    5 | 6 | 7) fail "$3: no network, or the server is down ($what)" ;;
    18 | 28 | 52 | 55 | 56 | 92)
      fail "$3 broke off after $(wc -c <"$4" 2>/dev/null || echo 0) bytes ($what); the same command continues" ;;
    23) fail "$4: cannot write, probably the disk is full; the same command continues" ;;
    35 | 58 | 59 | 60 | 77 | 83) fail "$3: the connection is not secure ($what)" ;;
    *) fail "$3: $what (curl's status $1)" ;;
  esac
}

enough_room() { # file, bytes
  local free
  [ "$2" != - ] || return 0
  free=$(df -Pk "$(dirname "$1")" 2>/dev/null | awk 'NR == 2 && match($0, / [0-9]+ +[0-9]+%/) {
    printf "%.0f\n", substr($0, RSTART) * 1024 }' || true)
  [ -z "$free" ] || [ "$free" -ge "$2" ] ||
    fail "$DIR has $((free / 1000000)) MB free, $1 needs $(($2 / 1000000)) MB: free some space"
}

check() { # URL, file, bytes, digest, name in SHA256SUMS; the file's own, or its .part's
  local now=$2 digest known where=scripts/fetch_data.tsv size
  [ -f "$now" ] || now=$2.part
  known=$4
  if [ "$known" = - ] && [ -f "$DIR/SHA256SUMS" ]; then
    known=$(awk -v name="$5" 'substr($0, 67) == name { d = $1 } END { print d }' "$DIR/SHA256SUMS")
    where="$DIR/SHA256SUMS, of its first download"
  fi
  size=$(($(wc -c <"$now")))
  is_archive "$now" "$2" || {
    mv "$now" "$2.wrong"
    forget "$5"
    fail "$1 is no archive: the server sent $(sent "$2.wrong"). It is kept as" \
      "$2.wrong; the same command fetches it again"
  }
  digest=$(sha256 "$now")
  if [ -n "$known" ] && [ "$known" != - ] && [ "$known" != "$digest" ] && [ -z "$ACCEPT" ]; then
    mv "$now" "$2.wrong"
    fail "$1 is not the expected file: $size bytes$([ "$3" = - ] || echo " of $3")," \
      "SHA-256 $digest, expected $known ($where). It is kept as $2.wrong; the same command" \
      "fetches it again, and ACCEPT=1 takes what the server has"
  fi
  if [ "$now" != "$2" ]; then
    mv "$now" "$2"
  fi
  pending+=("$digest  $5")
}

is_archive() { # file, the name that it is to have: whether it begins as its name promises
  case $2 in
    *.zip | *.gz | *.tgz | *.bz2) ;;
    *) return 0 ;;
  esac
  case $(head -c 3 "$1" | od -An -tx1 | tr -d ' \n') in
    504b* | 1f8b* | 425a68) return 0 ;;
  esac
  return 1
}

sent() { # file: what it is in place of an archive
  if [ ! -s "$1" ]; then
    echo "nothing"
  elif head -c 1000 "$1" | LC_ALL=C tr -d '\0' | LC_ALL=C grep -Eqi '<!doctype html|<html'; then
    echo "a web page"
  else
    echo "$(($(wc -c <"$1"))) bytes of something else"
  fi
}

remember() { # writes pending to SHA256SUMS
  local line
  for line in ${pending[@]+"${pending[@]}"}; do
    if ! grep -qxF "$line" "$DIR/SHA256SUMS" 2>/dev/null; then
      forget "${line:66}"
      echo "$line" >>"$DIR/SHA256SUMS"
    fi
  done
  pending=()
}

forget() { # name in SHA256SUMS
  [ -f "$DIR/SHA256SUMS" ] || return 0
  awk -v name="$1" 'substr($0, 67) != name' "$DIR/SHA256SUMS" >"$DIR/SHA256SUMS.part"
  mv "$DIR/SHA256SUMS.part" "$DIR/SHA256SUMS"
}

forget_damaged() { # those of files that were set aside
  local file
  for file in "${files[@]}"; do
    [ -f "$file" ] || forget "${file#"$DIR/"}"
  done
}
