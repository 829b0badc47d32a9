"""A checkout in which the tests run the recipes, and nothing is set up."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def recipe_checkout(tmp_path_factory):
    """A checkout whose environment is the one that runs the tests, set up already."""
    root = tmp_path_factory.mktemp("papers") / "a checkout"
    shutil.copytree(ROOT / "scripts", root / "scripts")
    (root / "scripts" / "setup.sh").write_text("")
    (root / ".venv").symlink_to(sys.prefix)
    return root


@pytest.fixture
def run_recipe(recipe_checkout):
    """``(name, raw, run, **variables) ->`` what a recipe says; it must end by ``status``."""

    def run(name, raw, run, status=0, **variables):
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", **variables}
        done = subprocess.run(
            ["bash", f"scripts/{name}.sh", str(raw), run],
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
