"""``fairseq-amber <command>`` runs everything that is not training."""

from __future__ import annotations

import argparse
import errno
import importlib
import io
import logging
import os
import platform
import signal
import sys
import threading
from contextlib import ExitStack, contextmanager, suppress
from typing import Any, Iterator, Sequence

from fairseq_amber import __version__
from fairseq_amber.environment import package_version
from fairseq_amber.errors import LOGGER, PROGRAM, UserError, error_line, file_error, warning_line
from fairseq_amber.progress import command_progress, print_status

COMMANDS = {
    "demo-corpus": "fairseq_amber.demo_corpus.command",
    "prepare": "fairseq_amber.preparation.corpus.command",
    "prepare-task": "fairseq_amber.preparation.task.command",
    "embed": "fairseq_amber.inference.embedding.command",
    "retrieve": "fairseq_amber.evaluation.retrieve",
    "mine": "fairseq_amber.inference.mining.command",
    "align": "fairseq_amber.inference.word_alignment.command",
    "aer": "fairseq_amber.evaluation.aer",
    "evaluate": "fairseq_amber.evaluation.evaluate",
    "report": "fairseq_amber.evaluation.report.command",
    "convert": "fairseq_amber.convert.command",
    "average": "fairseq_amber.convert.average",
    "user-dir": "fairseq_amber.user_dir",
    "doctor": "fairseq_amber.doctor.command",
}


class _HelpFormatter(argparse.ArgumentDefaultsHelpFormatter, argparse.RawDescriptionHelpFormatter):
    """Shows the default of each flag that has one, and the example as it is written."""

    def _get_help_string(self, action: argparse.Action) -> str:
        if action.default is None or action.default is False or action.default == []:
            return action.help or ""
        return super()._get_help_string(action) or ""


class _WarningsOnStderr(logging.Handler):
    """Shows warnings as lines of this program, and leaves other records to the root's handlers."""

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno >= logging.WARNING:
            print_status(warning_line(record.getMessage()))
        else:
            logging.getLogger().callHandlers(record)


@contextmanager
def _warnings_on_stderr() -> Iterator[None]:
    """Shows the package's warnings once, on stderr, whatever handlers fairseq gives the root."""
    handler = _WarningsOnStderr()
    propagate = LOGGER.propagate
    LOGGER.addHandler(handler)
    LOGGER.propagate = False
    try:
        yield
    finally:
        LOGGER.propagate = propagate
        LOGGER.removeHandler(handler)


class _Interrupts:
    """Ends the program with one line and status 130 on Ctrl-C, at once if it comes again.

    The first Ctrl-C raises ``KeyboardInterrupt``, so that the command ends its workers and removes
    what it has begun. The second does not wait for that: the next run tidies.

    Attributes:
        again: what the same command does when it is run again.
    """

    def __init__(self) -> None:
        self.again = "starts anew"
        self._process = os.getpid()
        self._pressed = self._said = False

    def take(self, signal_number: int, frame: Any) -> None:
        """Handles the signal."""
        if self._pressed or os.getpid() != self._process:
            self.end()
        self._pressed = True
        raise KeyboardInterrupt

    @property
    def line(self) -> str:
        """What the user is told."""
        return f"{PROGRAM}: interrupted; the same command {self.again}"

    def say(self) -> None:
        """Tells the user, once."""
        self._said = True
        print(self.line, file=sys.stderr, flush=True)

    def end(self) -> None:
        """Ends the process at once."""
        if not self._said and os.getpid() == self._process:
            with suppress(OSError):
                os.write(2, f"{self.line}\n".encode())  # Python's stream may be in use
        os._exit(130)

    def unraisable(self, details: Any) -> None:
        """Ends the process where Ctrl-C came while Python could raise nothing."""
        if isinstance(details.exc_value, KeyboardInterrupt):
            self.end()
        sys.__unraisablehook__(details)

    @contextmanager
    def taken(self, *, to_the_end: bool) -> Iterator[None]:
        """Takes Ctrl-C in the block, unless it is ignored or somebody else takes it.

        Args:
            to_the_end: whether the process ends after the block. Its status then tells what
                happened in the block: a later Ctrl-C does not change it.
        """
        if (
            threading.current_thread() is not threading.main_thread()
            or signal.getsignal(signal.SIGINT) is not signal.default_int_handler
        ):
            yield
            return
        signal.signal(signal.SIGINT, self.take)
        hook, sys.unraisablehook = sys.unraisablehook, self.unraisable
        try:
            yield
        finally:
            sys.unraisablehook = hook
            signal.signal(
                signal.SIGINT, signal.SIG_IGN if to_the_end else signal.default_int_handler
            )


def build_parser(command: str | None) -> argparse.ArgumentParser:
    """Makes the parser of the program.

    Args:
        command: the command whose flags the parser knows; None for all commands.

    Raises:
        UserError: a package is missing that the module of a command imports.
    """
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description="Prepare text for encoders that are trained with explicit alignment "
        "objectives, and measure them. To train one, call fairseq-train --user-dir $(fairseq-amber "
        "user-dir).",
    )
    parser.add_argument(
        "--version",
        action="store_true",
        help="print the versions of this package, fairseq, torch and Python",
    )
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name in COMMANDS if command is None else [command]:
        try:
            module = importlib.import_module(COMMANDS[name])
        except ModuleNotFoundError as error:
            raise UserError(
                f"the package {error.name} is missing, which fairseq-amber {name} needs; "
                "fairseq-amber doctor lists all that is missing"
            ) from None
        subparser = subparsers.add_parser(
            name,
            help=module.SUMMARY,
            description=module.SUMMARY,
            epilog=f"example:\n  {module.EXAMPLE}",
            formatter_class=_HelpFormatter,
        )
        module.add_arguments(subparser)
        # The module of a command that continues an interrupted run has RESUMES = True; WRITES are
        # the arguments that name a file or folder that the command writes.
        subparser.set_defaults(
            run=module.run,
            resumes=getattr(module, "RESUMES", False),
            writes=getattr(module, "WRITES", ()),
        )
    return parser


def versions() -> str:
    """Returns the versions that numbers and bugs depend on, one per line, without imports."""
    lines = [f"fairseq_amber {__version__}"]
    lines += [f"{name} {package_version(name) or 'not installed'}" for name in ("fairseq", "torch")]
    return "\n".join([*lines, f"Python {platform.python_version()}"])


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command. Without arguments, it shows the commands on stderr.

    Args:
        argv: the arguments, by default those of the process.

    Returns:
        The exit status: 0, 2 for an error that the user can correct, 130 for Ctrl-C, 141 if the
        reader of the output is gone, or what the command itself returns.
    """
    interrupts = _Interrupts()
    with interrupts.taken(to_the_end=argv is None):
        try:
            return _run(list(sys.argv[1:] if argv is None else argv), interrupts)
        except UserError as error:
            print(error_line(error), file=sys.stderr)
            return 2
        except KeyboardInterrupt:
            interrupts.say()
            return 130
        except BrokenPipeError:
            _discard_output()
            return 141
        except OSError as error:
            clear = file_error(error)
            if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO):
                _discard_output()
                where = error.filename or "the standard output"
                clear = UserError(f"cannot write {where}: {error.strerror}")
            if clear is None:
                raise
            print(error_line(clear), file=sys.stderr)
            return 2


def _discard_output() -> None:
    """Keeps Python from writing at its end what the standard output has refused."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _run(argv: list[str], interrupts: _Interrupts) -> int:
    from fairseq_amber.files.arguments import check_apart, check_nothing_empty

    if argv[:1] == ["--version"]:
        print(versions())
        return 0
    parser = build_parser(argv[0] if argv and argv[0] in COMMANDS else None)
    if not argv:
        parser.print_help(sys.stderr)
        return 2
    check_nothing_empty(argv)
    args = parser.parse_args(argv)
    if args.resumes:
        interrupts.again = "continues"
    check_apart(args)
    # Names of files are bytes, which the encoding of the output may not have.
    if isinstance(sys.stdout, io.TextIOWrapper):
        with suppress(OSError):  # of a pipe that stood for a file when Python opened it
            sys.stdout.reconfigure(errors="backslashreplace")
    with command_progress(), _warnings_on_stderr(), _outputs_locked(args):
        status = args.run(args)
    sys.stdout.flush()
    return status or 0


@contextmanager
def _outputs_locked(args: argparse.Namespace) -> Iterator[None]:
    """Keeps other commands from writing the outputs of this one while it runs.

    Raises:
        UserError: another command is writing one of them, or its folder cannot be written to.
    """
    from fairseq_amber.files.locks import locked

    outputs = [getattr(args, name) for name in args.writes]
    with ExitStack() as locks:
        for output in outputs:
            if output is not None:
                locks.enter_context(locked(output))
        yield


if __name__ == "__main__":
    sys.exit(main())
