"""The hooks through which the core meets hosts and third parties.

A plugin is a module or object registered under the entry-point group ``index_entitlements`` whose
functions carry `hookimpl`. Hooks can only narrow what a token opens, never widen it: a veto
refuses, a hook that raises refuses, and where every plugin is silent the answer is no.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pluggy

from entitlements_core import PROJECT_NAME
from entitlements_core.policy.bases import Base
from entitlements_core.policy.credential import Credential
from entitlements_core.policy.decide import Question, RequestContext
from entitlements_core.policy.decision import Decision, Deny
from entitlements_core.policy.events import Download, TokenChange
from entitlements_core.policy.facts import FileFacts
from entitlements_core.policy.health import Finding

if TYPE_CHECKING:
    import typer

__all__: list[str] = []

hookspec = pluggy.HookspecMarker(PROJECT_NAME)


@hookspec(firstresult=True)
def entitlements_find_credential(secret: str, request: RequestContext) -> Credential | None:
    """Find the credential of a secret that the store does not know.

    Answer the credential, or None when the secret is not of your kind. Raise `CredentialInvalid`
    when it is of your kind and bad: then nobody else is asked. Any other exception refuses the
    request with ``validation_unavailable``.
    """


@hookspec
def entitlements_veto(question: Question) -> Deny | None:
    """Refuse a request that the policy allows; None lets it pass.

    Every plugin is asked and any refusal wins. An exception is a refusal, and is logged as one.
    Called for pages, core metadata and files; the items of a page are filtered by the restriction
    alone.
    """


@hookspec
def entitlements_query_fields() -> Mapping[str, str]:
    """Name further fields of the package query, each with one sentence of help.

    A field compares text. Its values come from `entitlements_file_facts`.
    """


@hookspec
def entitlements_file_facts(facts: FileFacts) -> Mapping[str, str]:
    """Give the values of your query fields for one distribution file.

    A field that you leave out is unknown for this file, and an unknown fact never opens it.
    """


@hookspec(firstresult=True)
def entitlements_host() -> str | None:
    """Say which host this is, such as ``devpi-server 6.20.3``."""


@hookspec
def entitlements_repositories() -> Iterable[str]:
    """Name the repositories (``owner/slug``) that the host serves."""


@hookspec(firstresult=True)
def entitlements_files(
    repository: str, project: str | None, bases: frozenset[str] | None
) -> Iterable[FileFacts] | None:
    """Give the files of a repository, or of one normalised project of it; None if not yours.

    `bases` are the only repositories to look into beside this one; None is all it inherits from.
    """


@hookspec(firstresult=True)
def entitlements_mark(repository: str, user: str) -> str | None:
    """Give the mark of a repository as it is now: one made later under its name has another.

    With a `user` that is not empty, it is a mark of both the repository and the user's account.
    Empty when you have no such repository or user now; None when you cannot tell.
    """


@hookspec(firstresult=True)
def entitlements_bases(repository: str, user: str) -> Iterable[Base] | None:
    """Give all that a repository inherits from, directly or through others; None if not yours.

    Whether one is readable is asked for `user`, or where that is empty for the repository's owner.
    """


@hookspec(firstresult=True)
def entitlements_mirrors(repository: str, project: str | None) -> Iterable[str] | None:
    """Name the repositories with other people's projects that a repository inherits from, or is.

    With a normalised `project`, those that it can come from: none where you know that it is, or
    was, the vendor's. None if the repository is not yours, or you have no mirrors.
    """


@hookspec(firstresult=True)
def entitlements_user_may_read(user: str, repository: str) -> bool | None:
    """Say whether a user of the host may read a repository; None when you cannot tell.

    A user token lives only while the answer is True.
    """


@hookspec(firstresult=True)
def entitlements_user_is_admin(user: str, repository: str) -> bool | None:
    """Say whether a user of the host administers a repository; None when you cannot tell.

    Nothing asks yet: it is for a web administration, in which such a user manages the repository's
    tokens.
    """


@hookspec
def entitlements_checks(home: Path) -> Iterable[Finding]:
    """Look over your host for ``entitlements doctor``; nothing is changed.

    `home` is the directory of the key file and the store. Name also what is well, so that one sees
    that it was looked at. An exception is an error among the findings.
    """


@hookspec
def entitlements_opened(home: Path) -> None:
    """Learn that services were opened; `home` is the directory of the key file and the store.

    Called before any hook that asks about repositories or users. An exception is logged and changes
    nothing.
    """


@hookspec
def entitlements_decided(question: Question, decision: Decision) -> None:
    """Observe a decision. An exception is logged and changes nothing."""


@hookspec
def entitlements_downloaded(download: Download) -> None:
    """Observe a counted download. An exception is logged and changes nothing."""


@hookspec
def entitlements_token_changed(change: TokenChange) -> None:
    """Observe a change of a token. An exception is logged and changes nothing."""


@hookspec
def entitlements_commands(app: "typer.Typer") -> None:
    """Add commands to the ``entitlements`` command line."""
