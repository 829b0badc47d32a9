"""The pages and the recipes name only commands, flags and registered names that exist."""

import json
import re
import subprocess

import pytest

from doc_pages import PAGES, ROOT, SCRIPTS, name, text_of
from fairseq_amber.cli import COMMANDS, build_parser
from forked_programs import forked_python

# The benchmarks' results name the flags that the benchmarks had.
PAGES = [page for page in PAGES if "benchmarks" not in page.parts]
# Flags of other programs that the pages mention, and of this repository's scripts.
OTHERS = {
    "torchrun": "--standalone --nproc_per_node",
    "pip": "--no-index --find-links --no-deps --no-build-isolation --use-pep517 --torch-backend",
    "slurm": "--job-name --nodes --ntasks-per-node --gpus-per-node --cpus-per-task --time",
    "XTREME": "--specific_layer",
    "stock tasks of fairseq": "--num-batch-buckets --sample-break-mode",
    "scripts": "--test --loose --toy --only --python",
    "hydra": "--config-dir --config-name",
    "hf, of the Hugging Face Hub": "--local-dir",
}

PROGRAM = f"""
import argparse, json, logging
logging.disable(logging.INFO)
from fairseq import criterions, models, options, tasks, utils
utils.import_user_module(argparse.Namespace(user_dir={str(ROOT / "fairseq_amber")!r}))
flags = set()
alignment = ("amber", "contrastive_alignment", "ot_alignment", "l2_alignment")
transfer = ("xtreme_tagging", "xtreme_classification", "xtreme_qa")
pairs = [("cross_lingual_alignment", criterion) for criterion in alignment]
for task, criterion in [*pairs, *zip(transfer, transfer)]:
    parser = options.get_training_parser()
    arguments = f"x --arch amber_tiny --task {{task}} --criterion {{criterion}}"
    arguments += " --optimizer adam --lr-scheduler polynomial_decay --total-num-update 1"
    arguments += " --bpe amber_wordpiece"
    options.parse_args_and_arch(parser, arguments.split())
    flags.update(parser._option_string_actions)
parser = options.get_preprocessing_parser()
flags.update(parser._option_string_actions)
print(json.dumps({{
    "flags": sorted(flags),
    "task": sorted(tasks.TASK_REGISTRY),
    "criterion": sorted(criterions.CRITERION_REGISTRY),
    "arch": sorted(models.ARCH_MODEL_REGISTRY),
}}))
"""


@pytest.fixture(scope="module")
def fairseq():
    """The flags of fairseq-train with the plugin, and the names that are registered."""
    done = subprocess.run(
        [forked_python(), "-c", PROGRAM], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def commands():
    """The flags of each command of fairseq-amber."""
    choices = build_parser(None)._subparsers._group_actions[0].choices
    return {name: {*parser._option_string_actions} for name, parser in choices.items()}


@pytest.mark.parametrize("page", [*PAGES, *SCRIPTS], ids=name)
def test_every_flag_that_a_page_names_exists(page, fairseq, commands):
    known = {
        "--version",
        *fairseq["flags"],
        *(flag for flags in commands.values() for flag in flags),
    }
    known.update(*(flags.split() for flags in OTHERS.values()))
    text = text_of(page)
    if page.suffix == ".sh":  # other programs have flags there; those of our commands count
        text = "\n".join(re.findall(r"(?:fairseq-amber|fairseq-train)\b[^`|;]*?(?=\n\n|\Z)", text))
    for flag in set(re.findall(r"(?<![\w-])--[a-z][a-z0-9_-]*[a-z0-9]", text)):
        assert flag in known, f"{name(page)}: {flag}"


@pytest.mark.parametrize("page", [*PAGES, *SCRIPTS], ids=name)
def test_every_call_of_a_command_has_only_its_own_flags(page, commands):
    """Calls are lines of code: they begin with the command, and a backslash continues them."""
    text = re.sub(r"\\\n\s*", " ", text_of(page))
    for command, rest in re.findall(r"^ {2,}fairseq-amber ([a-z][a-z-]*)(.*)$", text, flags=re.M):
        assert command in COMMANDS, f"{name(page)}: fairseq-amber {command}"
        for flag in re.findall(r"(?<![\w-])--[a-z][a-z0-9-]*", rest):
            assert flag in commands[command], f"{name(page)}: fairseq-amber {command} {flag}"
    for command in re.findall(r"(?<![\w./-])fairseq-amber ([a-z][a-z-]+)", text):
        assert command in COMMANDS, f"{name(page)}: fairseq-amber {command}"


@pytest.mark.parametrize("page", [*PAGES, *SCRIPTS], ids=name)
def test_tasks_criterions_and_architectures_are_registered(page, fairseq):
    for flag, value in re.findall(r"--(task|criterion|arch) ([a-z]\w+)", text_of(page)):
        assert value in fairseq[flag], f"{name(page)}: --{flag} {value}"


def test_the_flags_are_found(fairseq, commands):
    assert {"--sa-weight", "--parallel-share", "--arch", "--doc-stride"} <= {*fairseq["flags"]}
    assert "--vocab-size" in commands["prepare"] and "--vocab-size" not in commands["embed"]
