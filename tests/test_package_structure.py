"""The rooms of the package: who may import whom, without a circle, each module with its test."""

import ast
import subprocess
import sys
from functools import lru_cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "fairseq_amber"

# For each room, the rooms that its files may import beside themselves. The ground floor is what
# every command needs; each room stands above the rooms that it imports. Two registries name modules
# as text and load them when they are asked for: cli.py the commands, and data/finetuning/kinds.py
# the parts of a fine-tuning task, of which one is in preparation.
GROUND = ("errors", "environment", "number_flags", "progress")
MAY_IMPORT = {
    "errors": (),
    "number_flags": (),
    "environment": ("errors",),
    "progress": ("errors",),
    "user_dir": (),
    "objectives": (),
    "metrics": GROUND,
    "files": ("metrics", *GROUND),
    "tokenizers": ("files", *GROUND),
    "data": ("metrics", "tokenizers", "files", *GROUND),
    "models": ("tokenizers", "files", *GROUND),
    "criterions": ("objectives", "models", "data", *GROUND),
    "demo_corpus": ("files", *GROUND),
    "convert": ("models", "data", "tokenizers", "files", *GROUND),
    "preparation": ("convert", "data", "tokenizers", "files", *GROUND),
    "tasks": ("convert", "objectives", "metrics", "models", "data", "tokenizers", "files", *GROUND),
    "inference": (
        *("convert", "objectives", "metrics", "models", "data", "tokenizers", "files"),
        *GROUND,
    ),
    "evaluation": ("inference", "objectives", "metrics", "models", "data", "files", *GROUND),
    # These start the rooms above: fairseq's registration, the diagnosis and the command line.
    "doctor": (
        *("criterions", "models", "tasks", "preparation", "data", "tokenizers", "files", ""),
        *GROUND,
    ),
    "cli": ("files", "", *GROUND),
    "": ("criterions", "models", "tasks", "inference", *GROUND),
}

# These must be usable wherever torch is.
WITHOUT_FAIRSEQ = ("objectives", "metrics", "models.encoder")

# A file past 300 lines needs a reason.
MOST_LINES = 300
LONG_FILES: dict = {}


WITHOUT_FAIRSEQ_PROGRAM = """
import importlib, sys

class NoFairseq:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "fairseq":
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, NoFairseq())
for name in sys.argv[1:]:
    importlib.import_module(name)
"""


@lru_cache(maxsize=None)
def modules() -> dict:
    """The path of each module, named relative to the package: "data.plan", "" for the package."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


@lru_cache(maxsize=None)
def imports(module: str) -> frozenset:
    """The full names that a module imports anywhere in its text, also within functions."""
    path = modules()[module]
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: a relative import"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return frozenset(names)


@lru_cache(maxsize=None)
def neighbours(module: str) -> frozenset:
    """The modules of this package that a module imports."""
    found = set()
    for name in imports(module):
        package, _, rest = name.partition(".")
        if package == "fairseq_amber":
            parts = rest.split(".")
            # The longest module that the name begins with; what follows is defined in it.
            found.add(
                next(
                    candidate
                    for candidate in (".".join(parts[:n]) for n in range(len(parts), -1, -1))
                    if candidate in modules()
                )
            )
    return frozenset(found)


def room(module: str) -> str:
    return module.partition(".")[0]


def reachable(module: str) -> set:
    """A module with all those that it imports, directly or not. The packages around them are left
    out: they register names where fairseq is imported already, and import nothing otherwise."""
    seen, left = set(), [module]
    while left:
        current = left.pop()
        if current not in seen:
            seen.add(current)
            left += neighbours(current)
    return seen


def test_every_room_is_in_the_table():
    assert {room(module) for module in modules()} == set(MAY_IMPORT)


def test_a_room_imports_only_the_rooms_that_the_table_allows():
    wrong = [
        f"{module} imports {other}"
        for module in modules()
        for other in neighbours(module)
        if room(other) not in (room(module), *MAY_IMPORT[room(module)])
    ]
    assert not wrong, "\n".join(wrong)


def test_the_table_itself_has_floors():
    floors: dict = {}
    while len(floors) < len(MAY_IMPORT):
        next_floor = [
            name
            for name, below in MAY_IMPORT.items()
            if name not in floors and all(other in floors for other in below)
        ]
        assert next_floor, f"a circle among {sorted(set(MAY_IMPORT) - set(floors))}"
        floors.update(dict.fromkeys(next_floor, len(floors)))


def test_no_circle_between_files():
    finished: set = set()

    def visit(module: str, path: tuple) -> None:
        assert module not in path, " -> ".join((*path[path.index(module) :], module))
        if module not in finished:
            for other in neighbours(module) - {module}:
                visit(other, (*path, module))
            finished.add(module)

    for module in modules():
        visit(module, ())


def test_some_rooms_import_no_fairseq():
    wrong = [
        f"{module} imports {name}"
        for start in modules()
        if start.startswith(WITHOUT_FAIRSEQ)
        for module in reachable(start)
        for name in imports(module)
        if room(name) == "fairseq"
    ]
    assert not wrong, "\n".join(sorted(set(wrong)))


def test_some_rooms_work_without_fairseq():
    usable = (*WITHOUT_FAIRSEQ, "files")
    names = [f"fairseq_amber.{name}" for name in modules() if name.startswith(usable)]
    names.remove("fairseq_amber.objectives.optimal_transport.triton_kernel")  # it needs triton
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_FAIRSEQ_PROGRAM, *names], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("module", [name for name, p in modules().items() if p.stem != "__init__"])
def test_every_module_has_a_test_of_its_name(module):
    *folders, name = module.split(".")
    path = ROOT.joinpath("tests", *folders, f"test_{name}.py")
    assert path.is_file(), f"{path.relative_to(ROOT)} is missing"


def test_no_file_is_long_without_a_reason():
    files = [*PACKAGE.rglob("*.py"), *(ROOT / "tests").rglob("*.py")]
    long = {
        str(path.relative_to(ROOT)): lines
        for path in files
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > MOST_LINES
    }
    assert set(long) == set(LONG_FILES), long
