#!/usr/bin/env bash
# Of scripts/setup.sh: runs a command, and says what became of it.
# shellcheck disable=SC2154  # setup.sh assigns them

exec 3>&2  # for what is said while Bash's own messages are turned off
job="" ticker=""  # processes: the command at work, and what reports on it
clean_up() { [ ! -d "$venv" ] || rm -rf "$venv/amber-tmp"; }
end() {
  # Ends a process, with its group if it leads one.
  [ -z "$1" ] || { { kill -- "-$1" || kill "$1"; } && wait "$1"; } 2>/dev/null || true
}
interrupted() {
  trap '' HUP INT TERM
  end "$ticker"
  end "$job"
  echo "setup: interrupted; the same command continues" >&3 || true  # a terminal may be gone
  exit 130
}
trap interrupted HUP INT TERM
trap clean_up EXIT

# Begins a command in a process group of its own, so that an interruption ends pip with its
# children. `set -m` would do so, too, but takes the terminal away from the caller.
leader='import os, sys; os.setpgrp(); os.execvp(sys.argv[1], sys.argv[1:])'

run() {
  # Runs a command with its output in the log; says every half minute that it is still at work.
  local status=0
  mkdir -p "$venv/amber-tmp"
  TMPDIR="$PWD/$venv/amber-tmp" "$base" -c "$leader" "$@" </dev/null >"$log" 2>&1 3>&- 9>&- &
  job=$!
  report &
  ticker=$!
  { wait "$job" || status=$?; } 2>/dev/null
  end "$ticker"
  job="" ticker=""
  [ "$status" -ne 137 ] || echo "ERROR: killed, probably for want of memory" >>"$log"
  return "$status"
}

report() {
  trap 'kill "$!"; exit' TERM
  while :; do
    sleep "$report_every" >/dev/null 2>&1 3>&- 9>&- &
    wait "$!"
    step "still at work$(last_stage)"
  done
}

in_log() { LC_ALL=C grep "$@" "$log" 2>/dev/null; } # LC_ALL: whatever its encoding

last_stage() {
  in_log -oE '(Downloading|Collecting|Installing|Building|Preparing) .*' |
    tail -n 1 | cut -c 1-100 | sed 's/^/: /' || true
}

pip() { run "$python" -m pip "$@"; }

# Prints nothing where df cannot tell. The names of devices and folders may have spaces.
free_megabytes() {
  df -Pk "$venv" 2>/dev/null | awk 'NR == 2 && match($0, / [0-9]+ +[0-9]+%/) {
    printf "%.0f\n", substr($0, RSTART) / 1024 }' || true
}

check_disk() {
  # $1: GB that will be needed
  local free
  free=$(free_megabytes)
  [ -z "$free" ] || [ "$((free / 1024))" -ge "$1" ] ||
    fail "$((free / 1024)) GB free in $PWD/$venv, about $1 GB are needed: free some space"
}

# On a full disk the log may have no room for the complaint.
disk_is_full() {
  local free
  free=$(free_megabytes)
  in_log -qiE 'No space left|Errno 28|Disk quota' || [ "${free:-100}" -lt 100 ]
}

cause() {
  # What failed, in one line, from the log.
  local line
  line=$(in_log -o 'fairseq build: .*' | tail -n 1 || true)
  # what pip says of a pinned version that its index lacks, or while it reaches no index
  if [ -z "$line" ] && in_log -q ResolutionImpossible; then
    line=$(in_log -o 'connection broken by .*' | tail -n 1 || true)
    [ -n "$line" ] ||
      line="pip found nothing that fits:$(in_log -F '(constraint)' | tail -n 1 | sed 's/.*)//')"
  fi
  # the last line of what a failed build printed
  [ -n "$line" ] || line=$(in_log -B 1 -F '[end of output]' | head -n 1 || true)
  [ -n "$line" ] || line=$(in_log -E '^ *(ERROR|error):' | head -n 1 || true)
  [ -n "$line" ] || line=$(in_log -v '^ *$' | tail -n 1 || true)
  line=${line#"${line%%[! ]*}"}     # indented
  line=${line% (from versions:*} # dozens of them
  echo "${line:-no message}" | cut -c 1-200
}

explain() {
  local remedy
  if disk_is_full; then
    remedy="the disk is full: free some GB"
  elif in_log -qE 'ConnectionError|Timeout|NameResolution|ProxyError|SSLError' ||
    in_log -qE 'No matching distribution|ResolutionImpossible'; then
    remedy="check the network, the proxy and pip's index settings"
  else
    remedy="see docs/installation.md"
  fi
  fail "$1 failed ($(cause)). Remedy: $remedy; the same command then continues." \
    "Log: $PWD/$log"
}
