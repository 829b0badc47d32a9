#!/usr/bin/env bash
# Of the recipes, which source it: what several of them do. Alone it does nothing.

refuse() { # words: says them in the recipe's name and ends it
  echo "$(basename "$0" .sh): $*" >&2
  exit 2
}

whole_path() { # path -> the same from the root, by one name wherever it is given; new ones too
  local folder
  if [ -d "$1" ]; then
    CDPATH='' cd -P -- "$1" && pwd
  elif folder=$(CDPATH='' cd -P -- "$(dirname -- "$1")" 2>/dev/null && pwd); then
    echo "${folder%/}/$(basename -- "$1")"
  else
    case $1 in /*) echo "$1" ;; *) echo "$PWD/$1" ;; esac
  fi
}

# Recipes work in their checkout. What a user gives is relative to where the user stands: these two
# come before the cd, and before the defaults, which are relative to the checkout.
new_paths() { # names of variables: each, where it is given, is from the root
  local name
  for name in "$@"; do
    [ -z "${!name:-}" ] || printf -v "$name" %s "$(whole_path "${!name}")"
  done
}
paths() { # likewise, and each is there, except where the commands are printed alone
  local name
  for name in "$@"; do
    [ -z "${!name:-}" ] || [ -n "${DRY_RUN:-}" ] || [ -e "${!name}" ] ||
      refuse "$name=${!name} does not exist"
  done
  new_paths "$@"
}
named_paths() { # likewise for a variable of several name=path; in the checkout it stays as it is
  local entry path all=
  for entry in ${!1:-}; do
    path=${entry#*=}
    case $entry in *?=?*) ;; *) refuse "$1 has $entry, which is not name=path" ;; esac
    [ -n "${DRY_RUN:-}" ] || [ -e "$path" ] || refuse "$1: $path does not exist"
    # A path from the root may have a blank where the relative one has none.
    [ "$PWD" -ef "$(dirname "${BASH_SOURCE[0]}")/.." ] || path=$(whole_path "$path")
    case $path in *[[:space:]]*) refuse "$1: $path has a blank: give paths without" ;; esac
    all+=${all:+ }${entry%%=*}=$path
  done
  [ -z "$all" ] || printf -v "$1" %s "$all"
}

is_model() { # path -> whether it is a checkpoint, or a pretrained folder as it is
  [ -f "$1" ] || [ -e "$1/config.json" ] || [ -e "$1/model.pt" ] || [ -d "$1/0_Transformer" ] ||
    [ -d "$1/snapshots" ]
}
models() { # names of variables: each, where it is given, names such a model
  local name
  for name in "$@"; do
    [ -z "${!name:-}" ] || [ -n "${DRY_RUN:-}" ] || is_model "${!name}" ||
      refuse "$name=${!name} is neither a checkpoint nor a pretrained folder, with config.json or model.pt"
  done
}
model_sum() { # checkpoint or pretrained folder -> a checksum of what is in it
  if [ -f "$1" ]; then
    cksum <"$1"
  else
    (CDPATH='' cd -- "$1" && find -L . -type f \( -name '*.json' -o -name '*.safetensors' -o -name '*.bin' \
      -o -name '*.pt' \) -exec cksum {} + | LC_ALL=C sort | cksum)
  fi
}
linked_model() { # pretrained model, name for it: a link, whose path has no blank where a run's has none
  if [ -n "${DRY_RUN:-}" ]; then
    printf '%q ' ln -s "$1" "$2"
    echo
    return
  fi
  [ -e "$2" ] || ln -s "$1" "$2"
  [ "$1" -ef "$2" ] || refuse "$2 is another model than $1: give another NAME"
}

each_of() { # variable, what each of its words may be
  local name=$1 word others
  shift
  others=${*:1:$#-1}
  for word in ${!name}; do
    case " $* " in
      *" $word "*) ;;
      *) refuse "$name knows ${others// /, } and ${!#}, not $word" ;;
    esac
  done
}
one_of() { # variable, what it may be; one that is not given is the recipe's to fill in
  local name=$1
  [ -n "${!name:-}" ] || return 0
  case ${!name} in *[[:space:]]*) refuse "$name=${!name} is not one word" ;; esac
  each_of "$@"
}
whole_numbers() { # the least, names of variables: each is a whole number, and not below it
  local least=$1 name
  shift
  for name in "$@"; do
    case ${!name} in
      # neither octal nor beyond what the shell counts
      '' | *[!0-9]* | 0?* | ????????????????*) refuse "$name=${!name} is not a whole number" ;;
    esac
    [ "${!name}" -ge "$least" ] || refuse "$name=${!name} is below $least"
  done
}

numbers() { # names of variables: each is a number, or several between commas
  local name part
  for name in "$@"; do
    for part in ${!name//,/ }; do
      [[ $part =~ ^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$ ]] ||
        refuse "$name=${!name} is not a number"
    done
  done
}
each_once() { # names of variables: each has a word, and none twice
  local name word seen
  for name in "$@"; do
    seen=' '
    for word in ${!name}; do
      case $seen in *" $word "*) refuse "$name has $word twice" ;; esac
      seen+="$word "
    done
    [ "$seen" != ' ' ] || refuse "$name has nothing but blanks"
  done
}
whole_words() { # names of variables: likewise, and each word is a whole number
  local name word
  each_once "$@"
  for name in "$@"; do
    for word in ${!name}; do
      case $word in *[!0-9]* | 0?*) refuse "$name has $word, which is not a whole number" ;; esac
    done
  done
}
run_names() { # names of variables: each is that of a folder in runs and in data-bin
  local name
  for name in "$@"; do
    case /${!name}/ in
      *//* | */./* | */../* | */-* | *$'\n'*)
        refuse "$name='${!name}' does not name a folder within runs: mine and trial/mine do" ;;
    esac
  done
}
run_words() { # names of variables: likewise, and their paths stand in lists
  local name
  run_names "$@"
  for name in "$@"; do
    case ${!name} in *[[:space:]]*) refuse "$name='${!name}' has a blank: give one without" ;; esac
  done
}
plain_names() { # variable, names: each can be a folder's, and none is there twice
  local name=$1 word seen=$'\n'
  shift
  for word in "$@"; do
    case $word in '' | . | .. | */* | *$'\n'*) refuse "$name: '$word' is no name: use letters and digits" ;; esac
    case $seen in *$'\n'"$word"$'\n'*) refuse "$name: $word is there twice" ;; esac
    seen+=$word$'\n'
  done
}

same_settings() { # file, settings: they are written there, unless it holds others of what has begun
  # What has begun has a checkpoint or a mark beside it. Before, as after a wrong value, all is new.
  [ ! -e "$1" ] || [ "$2" = "$(cat "$1")" ] ||
    [ -z "$(find "$(dirname "$1")" -maxdepth 1 \( -name 'checkpoint*.pt' -o -name complete \))" ] ||
    refuse "$(dirname "$1") holds a run of other settings ($1): give another NAME, or remove it"
  echo "$2" >"$1"
}

first_of() { # pairs, folder, prefix and suffix of its files -> the first pair
  [ -n "$1" ] && echo "${1%%,*}" && return
  local files=("$2/$3"*"$4") file
  [ -e "${files[0]}" ] || return 0
  file=${files[0]#"$2/$3"}
  echo "${file%%.*}"
}

optimizer_flags() { # SCHEDULE, warm-up updates, updates -> the array `optimizer`
  # The learning rate rises linearly in the warm-up. Then it falls linearly to 0 at the last update
  # (polynomial_decay), or stays (constant). fairseq's `fixed` has that warm-up; its `inverse_sqrt`
  # would go on to decay. The weight decay leaves layer norms and biases out (BERT, XTREME). LR,
  # ADAM_BETAS, ADAM_EPS, WEIGHT_DECAY, CLIP_NORM and PRECISION are the recipe's.
  optimizer=(--optimizer bert_adam --adam-betas "$ADAM_BETAS" --adam-eps "$ADAM_EPS"
    --weight-decay "$WEIGHT_DECAY" --clip-norm "$CLIP_NORM" --lr "$LR" --warmup-updates "$2")
  case $1 in
    polynomial_decay) optimizer+=(--lr-scheduler polynomial_decay --total-num-update "$3") ;;
    constant) optimizer+=(--lr-scheduler fixed) ;;
    *) echo "SCHEDULE=$1 is neither polynomial_decay nor constant" >&2; return 2 ;;
  esac
  # one fp32 copy of each parameter, because a vector of all has no layer norms to tell apart
  case " ${PRECISION:-} " in *" --fp16 "*) optimizer+=(--fp16-no-flatten-grads) ;; esac
}

plain_text() { # file, which may be compressed -> its text
  case $1 in
    *.gz) gzip -dc "$1" ;;
    *.bz2) bzip2 -dc "$1" ;;
    *.xz) xz -dc "$1" ;;
    *.zst)
      command -v zstd >/dev/null || refuse "$1 needs the program zstd: install it, or unpack the file"
      zstd -dcq "$1" ;;
    *) cat "$1" ;;
  esac
}

plain_name() { # file, which may be compressed -> its name without the folder and that ending
  local name=${1##*/} suffix
  for suffix in .gz .bz2 .xz .zst; do
    name=${name%"$suffix"}
  done
  echo "$name"
}

text_file() { # name of a text -> the file that holds it, which may be compressed
  # If there is none, it is the name itself, with status 1.
  local suffix
  for suffix in '' .gz .bz2 .xz .zst; do
    [ ! -e "$1$suffix" ] || { echo "$1$suffix"; return 0; }
  done
  echo "$1"
  return 1
}

amber_raw() { # folder: the text of LANGUAGES and CORPORA in AMBER_DATA, gathered once
  local settings="$LANGUAGES of $CORPORA"
  if [ -e "$1/complete" ]; then
    [ ! -e "$1.settings" ] || [ "$settings" = "$(cat "$1.settings")" ] ||
      refuse "$1 holds $(cat "$1.settings"), not $settings: remove it and what was made from it"
    return 0
  fi
  # shellcheck disable=SC2086  # several words
  bash scripts/raw_from_amber_data.sh "$1" $LANGUAGES
  echo "$settings" >"$1.settings"
  touch "$1/complete"
}

spread_lines() ( # file, number -> that many of its lines, or all, spread evenly and in their order
  # Both sides of a pair have as many lines, so the same ones are taken of both.
  set -o pipefail
  lines=$(plain_text "$1" | awk 'END { print NR }') || exit
  plain_text "$1" | awk -v wanted="$2" -v lines="$lines" '
    wanted >= lines || int(NR * wanted / lines) > int((NR - 1) * wanted / lines)'
)

step() { # where to mark it, command: unless that command has ended well; DRY_RUN=1 prints it
  # The mark is OUT/steps/NAME, and what trains there has its checkpoints in OUT/NAME. Where there
  # is neither an end nor a checkpoint, other settings begin anew, such as those of a corrected value.
  local mark=$1 command settings word made
  shift
  command=$(printf '%q ' "$@")
  if [ -n "${DRY_RUN:-}" ]; then
    echo "$command"
    return
  fi
  settings=
  for word in "$@"; do
    case $word in # the machine's may change in between
      MAX_TOKENS=* | PRECISION=* | WORKERS=* | SAVE_EVERY=*) ;;
      *) printf -v word '%q ' "$word"; settings+=$word ;;
    esac
  done
  made=$(dirname "$(dirname "$mark")")/${mark##*/}
  if [ -e "$mark.command" ] && [ "$settings" != "$(cat "$mark.command")" ] && { [ -e "$mark.complete" ] ||
    [ -n "$(find "$made" -name 'checkpoint*.pt' 2>/dev/null | head -n 1)" ]; }; then
    echo "$mark.command holds other settings than these: give another NAME, or remove it," \
      "$mark.complete and $made" >&2
    return 2
  fi
  [ ! -e "$mark.complete" ] || return 0
  mkdir -p "$(dirname "$mark")"
  echo "$settings" >"$mark.command"
  echo "== $command"
  "$@"
  touch "$mark.complete"
}

alone() { # folder: makes it, and refuses a second run in it, which would take half-made files for whole
  mkdir -p "$1"
  exec 9>>"$1/lock" # held until this process and those that it has started end
  python -c '
import fcntl, sys
try:
    fcntl.flock(9, fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError:
    sys.exit(1)
except OSError:
    pass  # a file system without locks' || refuse "another run works in $1: wait until it has ended"
}

gpu_count() { # the number of GPUs, 0 on a CPU
  python -c 'import torch; print(torch.cuda.device_count())' 2>/dev/null || echo 0
}
