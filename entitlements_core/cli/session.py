"""What all commands share: the global options, the services that they open, the repositories."""

import getpass
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final

import typer

from entitlements_core.errors import NotFound
from entitlements_core.policy.actor import Actor, ActorKind
from entitlements_core.policy.secret import shows_secret

if TYPE_CHECKING:
    from entitlements_core.services.core import Core
    from entitlements_core.services.settings import Settings

__all__ = ["Session", "session"]

_LOGIN: Final = re.compile(r"[^\s()\x00-\x1f\x7f]{1,64}")
"""What can be told from the rest of a line; Windows domains have a backslash."""
_SHOWN: Final = 10
"""Repositories that are named where another one was asked for."""


@dataclass(frozen=True)
class Session:
    """One run of the command line.

    Attributes:
        home: ``--home``, or None for the environment's or the default.
        database_url: ``--database-url``, or None likewise.
        given: settings to go by instead of reading any.
    """

    home: Path | None = None
    database_url: str | None = None
    given: "Settings | None" = None

    @cached_property
    def settings(self) -> "Settings":
        """Those of the environment, overruled by the global options.

        Raises:
            ConfigurationError: naming each that cannot be used.
        """
        from entitlements_core.services.settings import Settings  # noqa: PLC0415 - a fast start

        if self.given is not None:
            return self.given
        return Settings.load(home=self.home, database_url=self.database_url)

    @property
    def usable(self) -> "tuple[Settings, dict[str, str]]":
        """As many of the settings as can be used, and why the others cannot."""
        from entitlements_core.services.settings import Settings  # noqa: PLC0415 - a fast start

        return Settings.load_usable(home=self.home, database_url=self.database_url)

    @cached_property
    def actor(self) -> Actor:
        """Who uses the command line, for the audit: the effective user, and who became it by sudo.

        The latter is what the environment says (SUDO_USER); it is no proof.
        """
        user = _effective_user()
        asked = os.environ.get("SUDO_USER", "").strip()
        if asked == user or not _LOGIN.fullmatch(asked):
            return Actor(user, ActorKind.PERSON)
        return Actor(f"{asked} (as {user})", ActorKind.PERSON)

    @contextmanager
    def open(
        self,
        *,
        create: bool = False,
        repositories: Sequence[str] = (),
        asked: Sequence[str] = (),
    ) -> Iterator["Core"]:
        """The services, closed at the end of the block.

        Args:
            create: make the key and the store where there are none.
            repositories: that the command names. What the host serves and the store does not know
                yet is added: an index that a user of devpi made a moment ago.
            asked: that it names as well, and of which the service says whether it knows them: some
                are told of those that were removed. Empty ones are none.

        Raises:
            NotFound: when one of `repositories` is not there.
            EntitlementsError: when the settings, the key or the store cannot be used.
        """
        from entitlements_core.services.core import Core  # noqa: PLC0415 - a fast start
        from entitlements_core.services.home_access import (  # noqa: PLC0415 - a fast start
            require_access,
        )
        from entitlements_core.store.failures import (  # noqa: PLC0415 - a fast start
            DatabaseReadOnly,
        )

        core = Core.open(self.settings, create=create)
        try:
            if repositories:
                _require_repositories(core, repositories)
            yield core
        except NotFound as error:
            raise _told_better(core, error, [name for name in asked if name]) from None
        except DatabaseReadOnly:
            if core.database_url.is_sqlite:
                require_access(self.settings, serves=True)
            raise
        finally:
            core.close()


def _told_better(core: "Core", error: NotFound, asked: Sequence[str]) -> NotFound:
    """The same error, with what a vendor may know.

    Of a token that was named by its secret, its identifier; of a repository, which there are.
    """
    from entitlements_core.store.tokens import TokenNotFound  # noqa: PLC0415 - seldom needed

    if not isinstance(error, TokenNotFound):
        known = _known(core) if asked else set()
        missing = next((name for name in asked if name not in known), None)
        return error if missing is None else _no_repository(missing, known)
    owners = core.rotation.owners(error.identifier)
    if not owners:
        return error
    return NotFound(
        "What was given is the secret of a token, and not its identifier.",
        f"Name the token by its identifier: {' or '.join(owners)}"
        " (`entitlements token list --deleted` shows all).",
    )


def _effective_user() -> str:
    """As the system knows it, whatever LOGNAME and USER say."""
    try:
        import pwd  # noqa: PLC0415 - not on every system
    except ImportError:
        return getpass.getuser()
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return f"uid {os.geteuid()}"


def session(context: typer.Context) -> Session:
    """The session of a command."""
    found = context.obj
    return found if isinstance(found, Session) else Session()


def _require_repositories(core: "Core", names: Sequence[str]) -> None:
    """Return when all of `names` exist. Only here, where a vendor asks, the others are named.

    What the host serves and the store does not know yet is added.

    Raises:
        NotFound: saying which there are, and how a repository comes about.
    """
    known = _known(core)
    if not known.issuperset(names):
        served = set(names).intersection(core.plugins.repositories())
        core.repositories.ensure(served, actor=Actor("host", ActorKind.SERVICE))
        known = _known(core)  # `ensure` added them, or a server of the host did meanwhile
    missing = next((name for name in names if name not in known), None)
    if missing is not None:
        raise _no_repository(missing, known)


def _no_repository(name: str, known: Iterable[str]) -> NotFound:
    named = "of that name, which holds a secret" if shows_secret(name) else repr(name)
    return NotFound(
        f"There is no repository {named}; {_names_of(sorted(known))}.",
        "Check the name (owner/slug), or add it with `entitlements repo add`."
        " The indexes of devpi-server are here once it was started with the plugin.",
    )


def _known(core: "Core") -> set[str]:
    return {found.name for found in core.repositories.all()}


def _names_of(known: Sequence[str]) -> str:
    if not known:
        return "there is none yet"
    rest = len(known) - _SHOWN
    return f"there is {', '.join(known[:_SHOWN])}" + (f" and {rest} more" if rest > 0 else "")
