"""A checkout in which the tests run the recipes, and nothing is set up."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from forked_programs import write_program

ROOT = Path(__file__).resolve().parents[2]
FORKED = ("fairseq-amber", "fairseq-train", "python", "torchrun")


@pytest.fixture(scope="session")
def recipe_checkout(tmp_path_factory):
    """A checkout whose environment is the one that runs the tests, set up already."""
    root = tmp_path_factory.mktemp("papers") / "a checkout"
    shutil.copytree(ROOT / "scripts", root / "scripts")
    (root / "scripts" / "setup.sh").write_text("")
    environment = Path(sys.prefix)
    (root / ".venv" / "bin").mkdir(parents=True)
    for path in [*environment.iterdir(), *(environment / "bin").iterdir()]:
        link = root / ".venv" / path.relative_to(environment)
        if path.name in FORKED:
            write_program(link, path.name)
        elif path.name != "bin":
            link.symlink_to(path)
    return root


@pytest.fixture
def run_recipe(recipe_checkout):
    """``(name, *arguments, **variables) ->`` what a recipe says; it must end by ``status``."""

    def run(name, *arguments, status=0, **variables):
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        environment.update({"AMBER_VENV": ".venv", **variables})
        done = subprocess.run(
            ["bash", f"scripts/{name}.sh", *map(str, arguments)],
            env=environment,
            cwd=recipe_checkout,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        assert done.returncode == status, done.stdout[-3000:] + done.stderr[-3000:]
        return done.stdout if status == 0 else done.stderr

    return run
