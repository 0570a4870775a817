"""``entitlements init``: make the key and the store."""

from typing import TYPE_CHECKING

import typer

from entitlements_core.cli.console import emit, note, show_fields
from entitlements_core.cli.options import JsonOption
from entitlements_core.cli.session import session
from entitlements_core.documents.store import initialized_document

if TYPE_CHECKING:
    from rich.console import Console

    from entitlements_core.services.initialization import Initialized

__all__ = ["init"]


def init(context: typer.Context, *, as_json: JsonOption = False) -> None:
    """Make the home directory, the key and the store; what is there already stays.

    The key file is made with mode 0600 in a directory with mode 0700. Back it up apart from the
    store: without it no token can be found again.
    """
    from entitlements_core.services.initialization import initialize  # noqa: PLC0415 - a fast start

    found = initialize(session(context).settings)
    document = initialized_document(found)
    emit(document, lambda console: _show(console, found), as_json=as_json)
    if "key" in found.made and not as_json:
        note("Back up the key file apart from the store; without it no token can be found again.")


def _show(console: "Console", found: "Initialized") -> None:
    made = f"Made: {', '.join(found.made)}." if found.made else "Everything was there already."
    console.print(made)
    show_fields(
        console,
        [
            ("Home", str(found.home)),
            ("Key file", str(found.key_file)),
            ("Database", found.database),
            ("Schema", found.schema or ""),
        ],
    )
