"""The reference of flags, as Markdown, read from the parsers that parse the commands."""

from __future__ import annotations

import argparse
import html
import logging
import re

import fairseq  # noqa: F401  (first, so that the plugin registers itself)
from fairseq.criterions import CRITERION_DATACLASS_REGISTRY, CRITERION_REGISTRY
from fairseq.dataclass.utils import gen_parser_from_dataclass
from fairseq.models import MODEL_DATACLASS_REGISTRY, MODEL_REGISTRY
from fairseq.tasks import TASK_DATACLASS_REGISTRY, TASK_REGISTRY

from fairseq_amber import cli
from fairseq_amber.models.shapes import SHAPES
from fairseq_amber.tasks.wordpiece_bpe import WordPieceConfig

logging.disable(logging.INFO)


def in_table(text: str) -> str:
    """Plain text as a table cell that Markdown shows as it stands."""
    text = html.escape(" ".join(text.split()), quote=False)
    return re.sub(r"([\\`*_\[\]|])", r"\\\1", text)


def call_of(action: argparse.Action) -> str:
    """How a flag or a positional argument is written, such as ``--layer LAYER``."""
    value = action.metavar if action.metavar is not None else action.dest.upper()
    if action.choices is not None and action.metavar is None:
        value = "{" + ",".join(str(choice) for choice in action.choices) + "}"
    if isinstance(value, tuple):
        value = " ".join(value)
    if not action.option_strings:
        return str(value)
    if action.nargs == 0:
        value = ""
    elif action.nargs in ("+", "*"):
        value = f"{value} ..."
    elif action.nargs == "?":
        value = f"[{value}]"
    return f"{', '.join(action.option_strings)} {value}".strip()


def default_of(action: argparse.Action) -> str:
    """The default as a code span; empty where there is none, or where a switch is simply off."""
    value = getattr(action.default, "value", action.default)  # of an enumeration
    if value is None or value is False or value in ([], "", "???", argparse.SUPPRESS):
        return ""
    if isinstance(value, (list, tuple)):
        value = " ".join(str(item) for item in value)
    return f"`{value}`"


def help_of(action: argparse.Action) -> str:
    """The help text with its placeholders filled in."""
    if not action.help:
        return ""
    return action.help % {**vars(action), "prog": "fairseq-amber"}


def shown_actions(parser: argparse._ActionsContainer) -> list[argparse.Action]:
    """The flags of a parser, or of a group of one, that its help shows, without ``--help``."""
    actions = getattr(parser, "_group_actions", None) or parser._actions
    return [
        action
        for action in actions
        if not isinstance(action, argparse._HelpAction) and action.help != argparse.SUPPRESS
    ]


def table(actions: list[argparse.Action]) -> list[str]:
    """The rows of a table of flags."""
    rows = ["| flag | default | meaning |", "|---|---|---|"]
    for action in actions:
        call = call_of(action).replace("|", r"\|")
        rows.append(f"| `{call}` | {default_of(action)} | {in_table(help_of(action))} |")
    return rows if len(rows) > 2 else ["It has no flags."]


def commands_page() -> str:
    """Every command of ``fairseq-amber`` with its flags."""
    page = [
        "# Commands",
        "",
        "All flags of every command, read from the program itself. `fairseq-amber COMMAND --help` "
        "prints the same.",
    ]
    parser = cli.build_parser(None)
    choices = next(a for a in parser._actions if isinstance(a, argparse._SubParsersAction)).choices
    for name, command in choices.items():
        example = (command.epilog or "").split("\n", 1)[-1]
        page += ["", f"## fairseq-amber {name}", "", in_table(command.description or "") + ".", ""]
        page += ["    " + line.strip() for line in example.split("\n")] + [""]
        groups = [group for group in command._action_groups if shown_actions(group)]
        for group in groups:
            if group.title not in ("positional arguments", "options", "optional arguments"):
                page += [f"**{in_table(group.title or '')}**", ""]
            page += [*table(shown_actions(group)), ""]
        if not groups:
            page += ["It has no flags.", ""]
    return "\n".join(page)


def of_dataclass(config: type) -> list[str]:
    """The table of a configuration's flags, as ``fairseq-train`` has them."""
    parser = argparse.ArgumentParser(add_help=False)
    gen_parser_from_dataclass(parser, config())
    for action in parser._actions:
        action.help = (action.help or "").replace("%", "%%")  # fairseq fills in no placeholders
        if action.metavar is None and action.option_strings:
            action.metavar = {int: "N", float: "X"}.get(action.type)
    return table(shown_actions(parser))


def ours(dataclasses: dict[str, type], classes: dict[str, type]) -> dict[str, type]:
    """The entries of one of fairseq's registries that this plugin has registered.

    Args:
        dataclasses: registered name -> dataclass with its flags.
        classes: registered name -> the class itself, whose module tells whose it is.

    Returns:
        The first mapping without fairseq's own entries, and without architectures, which are no
        classes of their own.
    """
    return {
        name: config
        for name, config in dataclasses.items()
        if name in classes and classes[name].__module__.startswith("fairseq_amber.")
    }


def architectures() -> list[str]:
    """The table of the registered architectures."""
    settings = list(dict.fromkeys(key for shape in SHAPES.values() for key in shape))
    flags = [f"`--{key.replace('_', '-')}`" for key in settings]
    rows = ["| `--arch` | " + " | ".join(flags) + " |", "|---" * (1 + len(settings)) + "|"]
    for name, shape in SHAPES.items():
        rows.append(f"| `{name}` | " + " | ".join(str(shape.get(k, "")) for k in settings) + " |")
    return rows


def training_page() -> str:
    """Every flag that the plugin adds to ``fairseq-train``."""
    page = [
        "# Flags of fairseq-train",
        "",
        "What the plugin adds to `fairseq-train --user-dir`, read from the registered classes: the "
        "same names, with underscores, are settings of `fairseq-hydra-train`. fairseq's own flags "
        "(`--optimizer`, `--max-tokens`, ...) are in `fairseq-train --help`.",
    ]
    kinds = [
        ("--task", ours(TASK_DATACLASS_REGISTRY, TASK_REGISTRY)),
        ("--criterion", ours(CRITERION_DATACLASS_REGISTRY, CRITERION_REGISTRY)),
    ]
    for flag, configs in kinds:
        for name, config in configs.items():
            page += ["", f"## {flag} {name}", "", *of_dataclass(config)]
    page += ["", "## --arch", "", "An empty cell is the default of the flag below.", ""]
    page += [*architectures(), ""]
    for config in ours(MODEL_DATACLASS_REGISTRY, MODEL_REGISTRY).values():
        page += of_dataclass(config)
    page += ["", "## --bpe amber_wordpiece", "", *of_dataclass(WordPieceConfig), ""]
    return "\n".join(page)
