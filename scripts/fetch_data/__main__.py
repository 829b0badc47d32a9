"""Lays out what scripts/fetch_data.sh has downloaded: python3 scripts/fetch_data KIND FOLDER ...

What was written is listed in the file LISTING, a path from FOLDER a line, once all of it is there.
A download that turns out to be damaged is kept beside its place, as NAME.wrong.
It needs Python 3.8 and no package beside this repository.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from pathlib import Path

sys.path.insert(1, str(Path(__file__).resolve().parents[2]))

from archives import DamagedFile  # noqa: E402
from gold import READERS, lay_out_gold  # noqa: E402
from parallel import lay_out_pairs  # noqa: E402
from wikipedia import lay_out_wikipedia  # noqa: E402
from xtreme import TASKS, copy_file, lay_out_task  # noqa: E402

from fairseq_amber.errors import UserError  # noqa: E402
from fairseq_amber.files.writing import atomic_writer  # noqa: E402


def _files(args: argparse.Namespace) -> list[Path]:
    if args.kind == "opus":
        return lay_out_pairs(args.folder, args.name, args.valid, args.files)
    if args.kind == "wikipedia":
        return lay_out_wikipedia(args.folder, args.name, args.valid, args.files[0])
    if args.kind == "gold":
        return lay_out_gold(args.folder, args.set, args.name, args.files)
    if args.kind == "tatoeba":
        return [copy_file(file, args.folder / file.name) for file in args.files]
    return lay_out_task(args.folder, args.name, args.languages.split(), args.files)


def _set_aside(error: DamagedFile, folder: Path) -> str:
    """Renames a damaged download, so that it is fetched again, and says what to do."""
    if (folder / "downloads").resolve() not in error.path.resolve().parents:
        return f"{error}: get it anew and run again"
    wrong = error.path.with_name(error.path.name + ".wrong")
    os.replace(error.path, wrong)
    return f"{error}. It is kept as {wrong}; the same command fetches it again"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=("opus", "wikipedia", "tatoeba", "xtreme", "gold"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("name", help="the pair, the language or the task")
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--listing", type=Path, required=True)
    parser.add_argument("--settings", default="", help="the first line of the listing")
    parser.add_argument("--valid", type=int, default=5000)
    parser.add_argument("--set", choices=sorted(READERS))
    parser.add_argument("--languages", default="")
    args = parser.parse_args()
    assert args.kind != "xtreme" or args.name in TASKS
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # temporary files are removed
    try:
        written = _files(args)
        with atomic_writer(args.listing) as file:
            names = (os.path.relpath(path, args.folder) for path in written)
            file.writelines(f"{line}\n" for line in (args.settings, *names))
    except DamagedFile as error:
        print(f"fetch_data: error: {_set_aside(error, args.folder)}", file=sys.stderr)
        sys.exit(2)
    except UserError as error:
        print(f"fetch_data: error: {error}", file=sys.stderr)
        sys.exit(2)
    except OSError as error:
        print(f"fetch_data: error: {error.filename}: {error.strerror}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
