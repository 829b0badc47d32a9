"""``fairseq-amber <command>``: everything that is not training."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from typing import Sequence

from fairseq_amber.errors import UserError
from fairseq_amber.progress import of_one_command

COMMANDS = {
    "demo-corpus": "fairseq_amber.preparation.demo_corpus",
    "prepare": "fairseq_amber.preparation.prepare",
    "prepare-task": "fairseq_amber.preparation.task.command",
    "embed": "fairseq_amber.evaluation.embed",
    "retrieve": "fairseq_amber.evaluation.retrieve",
    "mine": "fairseq_amber.evaluation.mine",
    "align": "fairseq_amber.evaluation.align",
    "aer": "fairseq_amber.evaluation.aer",
    "evaluate": "fairseq_amber.evaluation.evaluate",
    "report": "fairseq_amber.evaluation.report",
    "convert": "fairseq_amber.convert.command",
    "average": "fairseq_amber.convert.average",
    "user-dir": "fairseq_amber.user_dir",
}


class _HelpFormatter(argparse.ArgumentDefaultsHelpFormatter, argparse.RawDescriptionHelpFormatter):
    """Defaults beside each flag that has one; the example in the epilog stays as written."""

    def _get_help_string(self, action: argparse.Action) -> str:
        if action.default is None or action.default is False or action.default == []:
            return action.help or ""
        return super()._get_help_string(action) or ""


def build_parser(command: str | None) -> argparse.ArgumentParser:
    """The parser of the whole program, or, given a command, with that command's flags."""
    parser = argparse.ArgumentParser(
        prog="fairseq-amber",
        description="Prepare text for, and measure, encoders trained with explicit alignment "
        "objectives. Training itself is fairseq-train --user-dir $(fairseq-amber user-dir).",
    )
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name in COMMANDS if command is None else [command]:
        module = importlib.import_module(COMMANDS[name])
        subparser = subparsers.add_parser(
            name,
            help=module.SUMMARY,
            description=module.SUMMARY,
            epilog=f"example:\n  {module.EXAMPLE}",
            formatter_class=_HelpFormatter,
        )
        module.add_arguments(subparser)
        # A module that goes on with what an interrupted run left behind says RESUMES = True.
        subparser.set_defaults(run=module.run, resumes=getattr(module, "RESUMES", False))
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; returns the exit status (0, 2 for a mistake to mend, 130 for Ctrl-C)."""
    argv = list(sys.argv[1:] if argv is None else argv)
    command = argv[0] if argv and argv[0] in COMMANDS else None
    args = build_parser(command).parse_args(argv)
    try:
        with of_one_command():
            args.run(args)
        sys.stdout.flush()
    except UserError as error:
        print(f"fairseq-amber: error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        again = "continues" if args.resumes else "starts anew"
        print(f"fairseq-amber: interrupted; the same command {again}", file=sys.stderr)
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    return 0


if __name__ == "__main__":
    sys.exit(main())
