#!/usr/bin/env bash
# Treats the programs as the world does, and counts what is lost: it should be nothing.
#
#   bash scripts/stress.sh                   # every part
#   KILLS=20 bash scripts/stress.sh kills    # kills trainings, at random moments and while they save
#   bash scripts/stress.sh disk              # trainings on a full disk, then with space
#   bash scripts/stress.sh disk-commands     # the other commands on a full disk, then with space
#   bash scripts/stress.sh interrupts        # commands that Ctrl-C or another signal ends, then again
#   bash scripts/stress.sh two-at-once       # two commands, or two trainings, with one output
#   bash scripts/stress.sh damage            # commands on damaged files of every kind
#
# Each part ends with a line of its counts, and the whole with status 1 if anything was lost. Several
# parts may be named. It needs an environment with fairseq_amber (scripts/setup.sh) and no data.
[ -n "${BASH_VERSION:-}" ] || { echo "stress: error: sh is too little: bash $0" >&2; exit 2; }
set -euo pipefail
CDPATH='' HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

KILLS=${KILLS:-100}                      # of kills: how many
FILLS=${FILLS:-10}                       # of disk: how many full disks; of disk-commands: of each
INTERRUPTS=${INTERRUPTS:-60}             # of interrupts: how many commands
PAIRS=${PAIRS:-28}                       # of two-at-once: how many pairs
DAMAGES=${DAMAGES:-2000}                 # of damage: how many damaged files
SEED=${SEED:-1}                          # of the moments
WORK=${WORK:-}                           # an empty folder for the runs, which stay; default: a temporary one
PYTHON=${PYTHON:-python}

export OMP_NUM_THREADS=1
exec "$PYTHON" "$HERE/stress" --kills "$KILLS" --fills "$FILLS" \
  --interrupts "$INTERRUPTS" --pairs "$PAIRS" --damages "$DAMAGES" --seed "$SEED" ${WORK:+--work "$WORK"} "$@"
