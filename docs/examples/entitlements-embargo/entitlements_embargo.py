"""Releases under embargo: listed in a file, refused to everybody until they are taken off the list.

The file is named by ``EMBARGO_FILE`` and holds a requirement per line, such as ``acme-core==2.0``.
"""

import logging
import os
from collections.abc import Mapping
from pathlib import Path

import typer
from packaging.requirements import Requirement

from entitlements_core import hookimpl
from entitlements_core.policy.decide import Question
from entitlements_core.policy.decision import Deny, Reason
from entitlements_core.policy.events import Download
from entitlements_core.policy.facts import FileFacts
from entitlements_core.policy.resource import DistributionFile

log = logging.getLogger(__name__)


def embargoed(facts: FileFacts) -> bool:
    """Whether a file is on the list. A list that cannot be read raises, and so refuses."""
    lines = Path(os.environ["EMBARGO_FILE"]).read_text(encoding="utf-8").splitlines()
    listed = (Requirement(line) for line in lines if line.strip())
    return any(
        item.name == facts.name and item.specifier.contains(facts.version, prereleases=True)
        for item in listed
    )


@hookimpl
def entitlements_veto(question: Question) -> Deny | None:
    """Refuse the file; its project page goes on listing it."""
    resource = question.resource
    if not isinstance(resource, DistributionFile) or not embargoed(resource.facts):
        return None
    return Deny(Reason.VETOED, "This release is under embargo", "Try again after the announcement.")


@hookimpl
def entitlements_query_fields() -> Mapping[str, str]:
    """A restriction may say ``embargo:no``, which hides the files from the pages, too."""
    return {"embargo": "yes or no: whether the release is under embargo"}


@hookimpl
def entitlements_file_facts(facts: FileFacts) -> Mapping[str, str]:
    """The value of the field for one file."""
    return {"embargo": "yes" if embargoed(facts) else "no"}


@hookimpl
def entitlements_downloaded(download: Download) -> None:
    """Tell the log who fetched what."""
    log.info("%s fetched %s", download.token, download.filename)


@hookimpl
def entitlements_commands(app: typer.Typer) -> None:
    """Add ``entitlements embargo``, which prints the list."""

    @app.command("embargo")
    def embargo() -> None:
        """Print the releases under embargo."""
        typer.echo(Path(os.environ["EMBARGO_FILE"]).read_text(encoding="utf-8"))
