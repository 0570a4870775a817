"""``pypi-server-entitled``: pypi-server, with entitlements."""

from __future__ import annotations

import argparse
import errno
import os
import sys
from collections.abc import Sequence
from typing import Final

import entitlements_core
from entitlements_core.errors import EntitlementsError
from pypiserver_entitlements import autoload_install
from pypiserver_entitlements.configuration import UPLOAD_LIMIT, Options
from pypiserver_entitlements.patch import building
from pypiserver_entitlements.requirement import require

__all__ = ["main"]

_ADDRESS: Final = frozenset({errno.EADDRINUSE, errno.EADDRNOTAVAIL, errno.EACCES})
_HELP: Final = frozenset({"-h", "--help"})


def main(arguments: Sequence[str] | None = None) -> None:
    """Run ``pypi-server`` with entitlements: its arguments, and those of `own_options`.

    Whatever is wrong ends the process with one message and the exit status 1.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        if words[:1] == ["autoload"]:
            sys.exit(autoload_install.run(words[1:]))
        _run(words)
    except EntitlementsError as error:
        sys.exit(f"Error: {error}")
    except BrokenPipeError:
        # Whoever read our output has seen enough; the interpreter must not flush it again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:
        # pypiserver and the servers it runs let them pass.
        sys.exit(f"Error: {_of_system(error)}")
    except ValueError as error:  # a host that is none
        sys.exit(f"Error: {error}")


def _of_system(error: OSError) -> str:
    """What the operating system refused: a file, or the address to listen on."""
    if error.filename is not None:
        return (
            f"{error.filename}: {error.strerror}. Make it, or correct its name: the password file"
            " (-P), a package directory or another file that was named."
        )
    if error.errno in _ADDRESS:
        return (
            f"The address to listen on (-i, -p) cannot be had: {error.strerror}."
            " Choose another one, or end what has it."
        )
    return str(error)


def own_options() -> argparse.ArgumentParser:
    """What this command takes beside what pypi-server does."""
    parser = argparse.ArgumentParser(
        prog="pypi-server-entitled",
        usage="pypi-server-entitled [run|update] … [--entitlements-…]"
        " | pypi-server-entitled autoload --install|--remove|--status",
        add_help=False,
        allow_abbrev=False,
    )
    group = parser.add_argument_group(
        "entitlements", "What is left out is read from the environment."
    )
    group.add_argument(
        "--entitlements-repo",
        metavar="OWNER/SLUG",
        help="the repository whose tokens open this index (ENTITLEMENTS_REPOSITORY)",
    )
    group.add_argument(
        "--entitlements-home",
        metavar="DIR",
        help="holds the key and the store (ENTITLEMENTS_HOME; default: ~/.entitlements)",
    )
    group.add_argument(
        "--entitlements-create",
        action="store_true",
        default=None,
        help="add the repository where the store does not have it"
        " (ENTITLEMENTS_CREATE_REPOSITORIES)",
    )
    group.add_argument(
        "--entitlements-public",
        action="store_true",
        default=None,
        help="who has no credentials reads everything, as before (ENTITLEMENTS_PUBLIC)",
    )
    group.add_argument(
        "--entitlements-upload-limit",
        metavar="BYTES",
        type=int,
        help="the largest upload with a token"
        f" (ENTITLEMENTS_UPLOAD_LIMIT; default: {UPLOAD_LIMIT})",
    )
    return parser


def _run(words: Sequence[str]) -> None:
    found = require()
    own = own_options()
    chosen, rest = own.parse_known_args(words)
    before = rest[: rest.index("--")] if "--" in rest else rest
    if "--version" in before:
        _say(f"index-entitlements {entitlements_core.__version__}, pypiserver {found}")
        return
    asks_for_help = not _HELP.isdisjoint(before)
    serves = not asks_for_help and rest[:1] != ["update"] and "-U" not in before
    try:
        # Held in any case: should it serve after all, then by the environment's options or not.
        with building(_options(chosen) if serves else None):
            _start(rest)
    finally:
        if asks_for_help:
            _say(own.format_help())


def _options(chosen: argparse.Namespace) -> Options:
    return Options.load(
        home=chosen.entitlements_home,
        repo=chosen.entitlements_repo,
        public=chosen.entitlements_public,
        create=chosen.entitlements_create,
        upload_limit=chosen.entitlements_upload_limit,
        foreground=True,
    )


def _start(words: Sequence[str]) -> None:
    from pypiserver.__main__ import main as pypi_server  # noqa: PLC0415 - it may be missing

    pypi_server(list(words))


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
