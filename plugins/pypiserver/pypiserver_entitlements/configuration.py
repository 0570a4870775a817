"""What the adapter is told beside pypiserver's own settings."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from entitlements_core.errors import ConfigurationError
from entitlements_core.services.settings import Settings

__all__ = ["NO", "UPLOAD_LIMIT", "YES", "Options"]

UPLOAD_LIMIT: Final = 1024**3
"""Bytes of an upload with a token, inclusive, unless said otherwise."""

YES: Final = frozenset({"1", "true", "yes", "on"})
NO: Final = frozenset({"", "0", "false", "no", "off"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The options of one server.

    Attributes:
        settings: of the services; `repository` names whose tokens open the index.
        public: who has no credentials reads what pypiserver shows, as before.
        create: add the repository where the store does not have it.
        upload_limit: bytes of an upload with a token, inclusive.
        foreground: the files are looked at, with a progress bar, before the server starts; else in
            the background, and the answer is 503 until that is done.
        plugins: objects to register beside the installed plugins.
    """

    settings: Settings
    public: bool = False
    create: bool = False
    upload_limit: int = UPLOAD_LIMIT
    foreground: bool = False
    plugins: tuple[object, ...] = ()

    @classmethod
    def load(  # noqa: PLR0913 - one for each option
        cls,
        *,
        home: str | Path | None = None,
        repo: str | None = None,
        public: bool | None = None,
        create: bool | None = None,
        upload_limit: int | None = None,
        foreground: bool = False,
        plugins: tuple[object, ...] = (),
    ) -> Options:
        """What is given; the rest as ``ENTITLEMENTS_…`` in the environment says.

        Args:
            home: ``ENTITLEMENTS_HOME``, see `Settings`.
            repo: ``ENTITLEMENTS_REPOSITORY``.
            public: ``ENTITLEMENTS_PUBLIC``.
            create: ``ENTITLEMENTS_CREATE_REPOSITORIES``.
            upload_limit: ``ENTITLEMENTS_UPLOAD_LIMIT``.
            foreground: see above.
            plugins: see above.

        Raises:
            ConfigurationError: when there is no repository, or something cannot be read.
        """
        settings = Settings.load(home=home, repository=repo or None)
        if not settings.repository:
            raise ConfigurationError(
                "It is not said whose tokens open this index.",
                "Set ENTITLEMENTS_REPOSITORY to a repository such as acme/prod,"
                " or give --entitlements-repo.",
            )
        return cls(
            settings=settings,
            public=_switch("ENTITLEMENTS_PUBLIC") if public is None else public,
            create=_switch("ENTITLEMENTS_CREATE_REPOSITORIES") if create is None else create,
            upload_limit=_limit() if upload_limit is None else upload_limit,
            foreground=foreground,
            plugins=plugins,
        )


def _switch(name: str) -> bool:
    value = os.environ.get(name, "").strip().lower()
    if value in YES | NO:
        return value in YES
    raise ConfigurationError(f"{name} is {value!r}, neither yes nor no.", "Write 1 or 0.")


def _limit() -> int:
    value = os.environ.get("ENTITLEMENTS_UPLOAD_LIMIT", "").strip()
    if not value:
        return UPLOAD_LIMIT
    if not value.isdecimal():
        raise ConfigurationError(
            f"ENTITLEMENTS_UPLOAD_LIMIT is {value!r}, not a number of bytes.",
            f"Write a number such as {UPLOAD_LIMIT}.",
        )
    return int(value)
