"""How the command line ends: an exit status, one message, never a traceback.

0 is done, 1 is refused or not found, 2 is a wrong use of the command, 130 is interrupted.
"""

import contextlib
import errno
import io
import json
import os
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NoReturn, Protocol, TextIO, runtime_checkable

import typer

from entitlements_core.cli import INTERRUPTED
from entitlements_core.documents.error import error_document, problem_document
from entitlements_core.errors import EntitlementsError, QuerySyntaxError
from entitlements_core.terminal import stderr

__all__ = ["end"]

REFUSED: Final = 1
USAGE: Final = 2

_SHOWN: Final = 200
"""Characters of a file's name; the system refuses longer ones, and they say no more."""


@runtime_checkable
class _UsageProblem(Protocol):
    """What Typer raises for options and arguments that it cannot read."""

    exit_code: int

    def format_message(self) -> str: ...


def end(run: Callable[[], Any], words: Sequence[str]) -> NoReturn:
    """End the process with what a command comes to."""
    try:
        _prepare_streams()
        status = run()
        sys.stdout.flush()
    except BrokenPipeError:
        # Whatever read our output, such as `head`, has closed it.
        _silence(sys.stdout)
        sys.exit(REFUSED)
    except OSError as error:
        _silence(sys.stdout)  # it may be what is full
        sys.exit(_say(error, words))
    except (KeyboardInterrupt, typer.Abort):
        sys.exit(INTERRUPTED)
    except Exception as error:  # noqa: BLE001 - this is the last place
        sys.exit(_say(error, words))
    sys.exit(status if isinstance(status, int) else 0)


def _say(error: Exception, words: Sequence[str]) -> int:
    """Report an error as far as stderr can be written; gives the exit status."""
    try:
        status = _report(error, words)
        sys.stderr.flush()
    except OSError:
        _silence(sys.stderr)
        return REFUSED
    return status


def _report(error: Exception, words: Sequence[str]) -> int:
    """Say what went wrong on stderr; gives the exit status."""
    as_json = "--json" in words
    if isinstance(error, EntitlementsError):
        _print_json(error_document(error)) if as_json else _print_refusal(error)
        return REFUSED
    if isinstance(error, OSError):
        return _report_plain(_of_system(error), "system", as_json=as_json)
    if isinstance(error, UnicodeEncodeError):
        # A word of the command line with bytes that are no text (PEP 383): no name has them.
        return _report_plain(f"{_shown(error.object)} is not UTF-8.", "invalid", as_json=as_json)
    if isinstance(error, _UsageProblem):
        message = error.format_message()
        _print_json(problem_document(message, "usage")) if as_json else _print_usage(error)
        return error.exit_code
    return _report_defect(error, words, as_json=as_json)


def _report_plain(problem: str, code: str, *, as_json: bool) -> int:
    _print_json(problem_document(problem, code)) if as_json else _print_lines(problem, "")
    return REFUSED


def _of_system(error: OSError) -> str:
    """What the operating system refuses is no defect of ours, wherever it was met."""
    names = (error.filename, error.filename2)
    about = [_shown(os.fsdecode(name)) for name in names if isinstance(name, str | bytes)]
    # An error of writing names no file; most likely it was the output.
    what = " and ".join(about) or "The output, or a file"
    return f"{what}: {error.strerror or str(error) or type(error).__name__}."


def _shown(text: str) -> str:
    """A name as it can be printed, whatever it holds, however long it is."""
    from entitlements_core.services.redaction import redact  # noqa: PLC0415 - rarely needed

    printable = redact(text).encode("utf-8", "backslashreplace").decode()
    return printable if len(printable) <= _SHOWN else f"{printable[:_SHOWN]}…"


def _report_defect(error: Exception, words: Sequence[str], *, as_json: bool) -> int:
    """Nobody foresaw this one. Its text may quote anything, so it is redacted."""
    from entitlements_core.services.redaction import redact  # noqa: PLC0415 - rarely needed

    said = redact(str(error).strip().partition("\n")[0])
    problem = f"{type(error).__name__}: {said}" if said else type(error).__name__
    remedy = "This should not happen; --debug shows where it did."
    if as_json:
        _print_json(problem_document(f"{problem} {remedy}", "internal"))
    else:
        _print_lines(problem, remedy)
    if "--debug" in words or os.environ.get("ENTITLEMENTS_DEBUG"):
        sys.stderr.write(redact("".join(traceback.format_exception(error))))
    return REFUSED


def _print_json(document: Mapping[str, object]) -> None:
    sys.stderr.write(json.dumps(document, ensure_ascii=False) + "\n")


def _print_refusal(error: EntitlementsError) -> None:
    if isinstance(error, QuerySyntaxError):
        _print_lines(str(error), "")
    else:
        _print_lines(error.problem, error.remedy)


def _print_lines(problem: str, remedy: str) -> None:
    from entitlements_core.services.systemd_journal import error_prefix  # noqa: PLC0415 - rarely needed

    console, before = stderr(), error_prefix()
    console.print(f"{before}Error:", style="bold red", end=" ")
    console.print(problem, soft_wrap=True)
    if remedy:
        console.print(f"{before}{remedy}", style="dim", soft_wrap=True)


def _print_usage(error: object) -> None:
    from typer import rich_utils  # noqa: PLC0415 - imports Rich

    rich_utils.rich_format_error(error)  # type: ignore[arg-type] # of Typer's own kind


def _prepare_streams() -> None:
    """Make the three streams fit for use.

    Raises:
        OSError: when the output is closed. What a command does could then be told to nobody, the
            secret of a new token least of all.
    """
    closed = [name for name in ("stdin", "stdout", "stderr") if getattr(sys, name) is None]
    for name in closed:
        # Else the next file that is opened, such as the store, would get the stream's descriptor.
        setattr(sys, name, open(os.devnull, "r" if name == "stdin" else "w"))  # noqa: PTH123, SIM115 - for as long as the process runs
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A file name may hold characters that the terminal's encoding lacks.
        sys.stdout.reconfigure(errors="backslashreplace")
    if "stdout" in closed:
        raise OSError(errno.EBADF, "It is closed", "Standard output")


def _silence(stream: TextIO) -> None:
    """Let a stream go nowhere, so that the interpreter's last flush fails no more."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
