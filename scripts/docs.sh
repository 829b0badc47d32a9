#!/usr/bin/env bash
# Builds the documentation as a website: the pages of docs/, every flag of every command, and the
# docstrings of the package. A broken link or a docstring that does not fit its function is an error.
#
#   bash scripts/docs.sh             the site is in build/site; open build/site/index.html
#   bash scripts/docs.sh --serve     the same, shown at http://127.0.0.1:8000
#
# It sets up .venv as scripts/test.sh does; after that it needs no network. The site loads nothing
# from the network either. It needs Python 3.11.5 or newer.
[ -n "${BASH_VERSION:-}" ] || { echo "docs: error: sh is too little: bash $0" >&2; exit 2; }
set -euo pipefail
CDPATH='' cd "$(dirname "${BASH_SOURCE[0]}")/.."

action=(build)
case "$#:${1:-}" in
  0:) ;;
  1:--serve) action=(serve) ;;
  *) echo "usage: bash scripts/docs.sh [--serve]" >&2; exit 2 ;;
esac

bash scripts/setup.sh --test
export PATH="$PWD/${AMBER_VENV:-.venv}/bin:$PATH"
python -c 'import mkdocs' 2>/dev/null || {
  echo "docs: error: MkDocs is not in ${AMBER_VENV:-.venv}: make that folder with Python 3.11.5 or newer" >&2
  exit 1
}

export AMBER_PAGES="$PWD/build/pages" NO_MKDOCS_2_WARNING=1
python docs/site/pages.py "$AMBER_PAGES"
mkdocs "${action[@]}" --strict
[ "${action[0]}" = serve ] || echo "docs: build/site/index.html"
