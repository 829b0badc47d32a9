"""scripts/fetch_data.sh with every home at a server on this machine."""

import os
import re
import subprocess
import sys
from pathlib import Path

import public_stand_ins as stand_ins
from doc_pages import ROOT

TABLE = (ROOT / "scripts/fetch_data.tsv").read_text(encoding="utf-8")
HOMES = sorted(set(re.findall(r"\t(\w+_URL)\t", TABLE)))
PAIR = "OPUS-EUbookshop/v2/moses/de-en.txt.zip"
GERMAN = [f"Satz {n} ist hier ." for n in range(40)]
ENGLISH = [f"Sentence {n} is here ." for n in range(40)]


class Fetch:
    """The script with every home at the server, and a table of the real files without digests."""

    def __init__(self, web, folder: Path) -> None:
        self.web, self.folder, self.table = web, folder, folder.with_name("table.tsv")
        web.files, web.cut, web.hang, web.redirects = {}, {}, {}, {}
        web.ranges, web.asked = True, []
        self.table.write_text(re.sub(r"\t\d+\t[0-9a-f]{64}$", "\t-\t-", TABLE, flags=re.M))
        self.environment = {
            **{key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ},
            **{home: web.address + "/" for home in HOMES},
            "PYTHON": sys.executable,
            "TABLE": str(self.table),
            "RETRIES": "0",
        }

    def command(self, what: str) -> list:
        return ["bash", str(ROOT / "scripts/fetch_data.sh"), what, str(self.folder)]

    def __call__(self, what: str, *, status: int = 0, **variables: str) -> str:
        done = subprocess.run(
            self.command(what), env={**self.environment, **variables}, text=True,
            capture_output=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == status, done.stderr + done.stdout
        assert "Traceback" not in done.stderr
        return done.stdout + done.stderr

    def lines(self, name: str) -> list:
        return (self.folder / name).read_text(encoding="utf-8").splitlines()

    def names(self) -> list:
        """What lies in the folder beside the downloads."""
        return sorted(p.name for p in self.folder.iterdir() if p.name != "downloads")


def one_pair(web, archive: "bytes | None" = None) -> bytes:
    """Puts an archive of de-en where the script looks for it, and returns it."""
    archive = archive or stand_ins.opus_archive(
        "EUbookshop", "de-en", {"de": GERMAN, "en": ENGLISH}
    )
    web.files[PAIR] = archive
    return archive
