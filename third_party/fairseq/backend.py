"""PEP 517 backend: makes a wheel of the official fairseq 0.12.2, the edits and stand_ins/."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

from edits import EditError, apply
from setuptools import build_meta

VERSION = "0.12.2"
SHA256 = "34f1b18426bf3844714534162f065ab733e049597476daa35fffb4d06a92b524"
ARCHIVE = f"fairseq-{VERSION}.tar.gz"
STAND_INS = Path(__file__).resolve().parent / "stand_ins"
OFFLINE_REMEDY = f"or fetch {ARCHIVE} from PyPI elsewhere and set FAIRSEQ_SDIST to its path"


def download(folder: Path) -> Path:
    """Fetches the archive with pip, so that the user's index, proxy and certificates apply."""
    # the outer pip tells its hooks where this backend is, and may pin what it installs; the inner
    # pip must see neither
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("_PYPROJECT_HOOKS_", "PEP517_", "PIP_CONSTRAINT"))
    }
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    command += ["--no-build-isolation", "--no-binary", "fairseq", "--dest", str(folder)]
    result = subprocess.run(
        [*command, f"fairseq=={VERSION}"], env=environment, text=True, capture_output=True
    )
    if result.returncode != 0:
        errors = [line for line in result.stderr.splitlines() if line.startswith("ERROR:")]
        cause = errors[-1] if errors else (result.stderr.strip().splitlines() or ["no output"])[-1]
        raise SystemExit(
            f"fairseq build: cannot download {ARCHIVE} (pip: {cause}); "
            f"check the network and pip's settings, {OFFLINE_REMEDY}"
        )
    return folder / ARCHIVE


def verified(archive: Path) -> Path:
    """Returns the archive, after checking that it is the official one, byte for byte."""
    try:
        digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    except OSError as error:
        raise SystemExit(f"fairseq build: cannot read {archive}: {error.strerror}") from None
    if digest != SHA256:
        raise SystemExit(
            f"fairseq build: {archive} is not the official {ARCHIVE}: sha256 is {digest}, "
            f"expected {SHA256}; delete it and try again, {OFFLINE_REMEDY}"
        )
    return archive


@contextlib.contextmanager
def edited_source() -> Iterator[None]:
    """Unpacks and edits fairseq in a temporary folder, which is the working directory meanwhile."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        given = os.environ.get("FAIRSEQ_SDIST")
        archive = verified(Path(given).expanduser() if given else download(folder))
        with tarfile.open(archive) as tar:
            tar.extractall(
                folder, **({"filter": "data"} if hasattr(tarfile, "data_filter") else {})
            )
        source = folder / f"fairseq-{VERSION}"
        try:
            apply(source)
        except EditError as error:
            raise SystemExit(f"fairseq build: {error}") from None
        shutil.copytree(STAND_INS, source / "fairseq" / "data", dirs_exist_ok=True)
        os.chdir(source)
        try:
            yield
        finally:
            os.chdir(before)


def get_requires_for_build_wheel(config_settings: dict | None = None) -> list[str]:
    return []


def build_wheel(
    wheel_directory: str,
    config_settings: dict | None = None,
    metadata_directory: str | None = None,
) -> str:
    destination = os.path.abspath(wheel_directory)
    with edited_source():
        return build_meta.build_wheel(destination, config_settings)
