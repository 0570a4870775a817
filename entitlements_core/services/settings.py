"""The settings of a server, from arguments and from ``ENTITLEMENTS_…`` in the environment."""

from __future__ import annotations

import logging
import os
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Annotated, Final, Literal
from urllib.parse import unquote

from pydantic import Field, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from entitlements_core.errors import ConfigurationError, InvalidValue
from entitlements_core.forwarded import FORWARDED, X_FORWARDED_FOR, Proxies
from entitlements_core.policy.upstream import Upstream
from entitlements_core.store.timeouts import REQUESTS, Timeouts

__all__ = ["FORMER_REPOSITORY", "HOW_TO_CORRECT", "Settings"]

log: Final = logging.getLogger("entitlements.settings")

FORMER_REPOSITORY: Final = "ENTITLEMENTS_REPO"
"""What `repository` was called by pypi-server-entitled before; it is still read."""
HOW_TO_CORRECT: Final = "Correct the variable, or the option that stands for it."

Words = Annotated[tuple[str, ...], NoDecode]


class Settings(BaseSettings):
    """Everything that can be set. Each field is read from ``ENTITLEMENTS_<FIELD>``.

    Attributes:
        home: holds the key file, the SQLite store and the catalog's cache.
        database_url: another store, such as ``postgresql://user@host/name``; empty: SQLite in home.
        durability: what a counted download survives: the end of the ``process``, or of the
            ``power`` (SQLite then waits for the disk; PostgreSQL always does).
        repository: ``owner/slug`` that a server serves.
        directories: of distributions; in the environment separated as PATH is.
        upstream: the simple index to which clients are sent for projects that are not the vendor's;
            empty is none.
        download_window: seconds in which repeated requests of a client for a file count once;
            0 counts every one.
        ipv6_prefix: bits of an IPv6 address that make a client.
        trusted_proxies: networks of proxies that say where a request comes from; ``unix`` means
            the peers of a Unix socket.
        forwarded_header: in which they say it, ``X-Forwarded-For`` or ``Forwarded``; empty is the
            first, except from servers that cannot tell it from another header.
        guesses_per_minute: unknown custom secrets of an address that are looked up; 0 is no bound.
        seal_secrets: keep secrets encrypted so that they can be shown again.
        token_quota: active tokens that an owner may have; None is no quota.
        eula_url: where a licence is accepted, with ``{identifier}`` in it.
        accel_redirect: nginx's internal locations of the directories, in their order; files are
            then sent by nginx.
        sendfile: files are sent by a server that understands ``X-Sendfile``.
        connect_timeout: seconds until a PostgreSQL server has let us in.
        answer_timeout: seconds that a request waits for PostgreSQL, once it is let in. Commands,
            and what servers do in the background, take as long as they take.
        lock_timeout: seconds that a count waits for a lock of the database that somebody holds.
        keepalive: seconds of silence until TCP asks whether the database's host is still there.
        watch: how changes in the directories are noticed: being told, or by looking.
        metadata_limit: bytes that the core metadata of a file may have; a file with more is left
            out. Reading one takes memory and time in proportion.
    """

    model_config = SettingsConfigDict(
        env_prefix="ENTITLEMENTS_", extra="ignore", frozen=True, env_ignore_empty=True
    )

    home: Path = Path("~/.entitlements")
    database_url: str = ""
    durability: Literal["process", "power"] = "process"
    repository: str = ""
    directories: Words = ()
    upstream: str = ""
    download_window: int = Field(default=300, ge=0)
    ipv6_prefix: int = Field(default=64, ge=1, le=128)
    trusted_proxies: Words = ()
    forwarded_header: Literal["", "X-Forwarded-For", "Forwarded"] = ""
    guesses_per_minute: int = Field(default=60, ge=0)
    seal_secrets: bool = True
    token_quota: int | None = Field(default=None, ge=0)
    eula_url: str = ""
    accel_redirect: Words = ()
    sendfile: bool = False
    connect_timeout: float = Field(default=REQUESTS.connect, gt=0, le=600)
    answer_timeout: float = Field(default=5.0, gt=0, le=600)
    lock_timeout: float = Field(default=REQUESTS.lock, gt=0, le=600)
    keepalive: float = Field(default=REQUESTS.keepalive, gt=0, le=7200)
    watch: Literal["events", "polling"] = "events"
    metadata_limit: int = Field(default=2 * 1024 * 1024, ge=64 * 1024, le=64 * 1024 * 1024)

    @classmethod
    def load(cls, **given: object) -> Settings:
        """The settings of the environment, overruled by those that are given and not None.

        Raises:
            ConfigurationError: naming each setting that cannot be used.
        """
        chosen = {name: value for name, value in given.items() if value is not None}
        if not chosen.get("repository"):
            chosen |= _former_repository()
        try:
            settings = cls(**chosen)  # type: ignore[arg-type] # checked by pydantic
            settings.proxies  # noqa: B018 - a wrong network is refused now
        except ValidationError as error:
            problems = [f"{name}: {why}" for name, why in _unusable(error).items()]
            raise ConfigurationError(
                f"The settings cannot be used: {'; '.join(problems)}.",
                HOW_TO_CORRECT,
            ) from None
        except InvalidValue as error:
            raise ConfigurationError(
                f"trusted_proxies cannot be used: {error.problem}", error.remedy
            ) from None
        return settings

    @classmethod
    def load_usable(cls, **given: object) -> tuple[Settings, dict[str, str]]:
        """The settings that can be used, and why others cannot, by the names of their variables.

        For who looks over a server; what serves uses `load`. In the place of what cannot be used
        stands the default.
        """
        chosen = {name: value for name, value in given.items() if value is not None}
        unusable: dict[str, str] = {}
        if not chosen.get("repository"):
            try:
                chosen |= _former_repository()
            except ConfigurationError as error:
                unusable[FORMER_REPOSITORY] = error.problem.rstrip(".")
        while True:
            try:
                settings = cls(**chosen)  # type: ignore[arg-type] # checked by pydantic
                settings.proxies  # noqa: B018 - as above
            except ValidationError as error:
                found = _unusable(error)
            except InvalidValue as error:
                found = {_variable("trusted_proxies"): error.problem.rstrip(".")}
            else:
                return settings, unusable
            unusable |= found
            for name, field in cls.model_fields.items():
                if _variable(name) in found:
                    chosen[name] = field.default

    @field_validator("directories", "trusted_proxies", "accel_redirect", mode="before")
    @classmethod
    def _split(cls, value: object, info: ValidationInfo) -> object:
        if not isinstance(value, str):
            return value
        # Only paths are separated as PATH is: an IPv6 network holds colons.
        words = value.replace(os.pathsep, ",") if info.field_name == "directories" else value
        return tuple(word.strip() for word in words.split(",") if word.strip())

    @field_validator("forwarded_header", mode="before")
    @classmethod
    def _spell(cls, value: object) -> object:
        """As the names of headers are compared."""
        if not isinstance(value, str):
            return value
        known = {name.lower(): name for name in (FORWARDED, X_FORWARDED_FOR)}
        return known.get(value.strip().lower(), value)

    @field_validator("upstream")
    @classmethod
    def _read(cls, value: str) -> str:
        try:
            return Upstream.parse(value).url if value.strip() else ""
        except InvalidValue as error:
            raise ValueError(f"{error.problem} {error.remedy}".rstrip(".")) from None

    @field_validator("database_url")
    @classmethod
    def _locate(cls, value: str) -> str:
        """One place, whatever directory a command or a server is started in."""
        scheme, _, rest = value.partition(":///")
        path = rest.partition("?")[0]
        if scheme.partition("+")[0] != "sqlite" or path in {"", ":memory:"} or path[0] == "/":
            return value
        here = Path(unquote(path)).absolute()
        raise ValueError(
            f"sqlite:///{path} is another file in each working directory; write the whole path"
            f" after three slashes, which makes four: sqlite:///{here}"
        )

    @field_validator("home")
    @classmethod
    def _expand(cls, value: Path) -> Path:
        return value.expanduser().absolute()

    @property
    def key_file(self) -> Path:
        """The server's key."""
        return self.home / "key"

    @property
    def url(self) -> str:
        """The store's URL."""
        return self.database_url or f"sqlite:///{self.home / 'entitlements.db'}"

    @property
    def timeouts(self) -> Timeouts:
        """How long requests wait for the database."""
        return Timeouts(
            connect=self.connect_timeout,
            answer=self.answer_timeout,
            lock=self.lock_timeout,
            keepalive=self.keepalive,
        )

    @property
    def catalog_file(self) -> Path:
        """What is known of the files in the directories."""
        return self.home / "catalog.db"

    def directories_of(self, repository: str) -> tuple[Path, ...]:
        """`directories`, if they are those of this repository."""
        return tuple(map(Path, self.directories)) if repository == self.repository else ()

    @property
    def window(self) -> timedelta:
        """`download_window` as a duration."""
        return timedelta(seconds=self.download_window)

    @property
    def proxies(self) -> Proxies:
        """`trusted_proxies`, and what they say."""
        return Proxies.parse(self.trusted_proxies, self.forwarded_header)


def _former_repository() -> dict[str, object]:
    """The repository by the former name of the setting, if it is set alone.

    Raises:
        ConfigurationError: when both are set, to two repositories: which one is no guess of ours.
    """
    former = os.environ.get(FORMER_REPOSITORY, "").strip()
    current = os.environ.get(_variable("repository"), "").strip()
    if not former:
        return {}
    if current and current != former:
        raise ConfigurationError(
            f"{FORMER_REPOSITORY} ({former}) and {_variable('repository')} ({current}) differ.",
            f"Unset {FORMER_REPOSITORY}, the former name of the other one.",
        )
    _say_renamed()
    return {"repository": former}


@cache
def _say_renamed() -> None:
    """Once in a process."""
    log.warning(
        "%s is read, but is called %s now; set that one",
        FORMER_REPOSITORY,
        _variable("repository"),
    )


def _variable(name: str) -> str:
    return f"ENTITLEMENTS_{name.upper()}"


def _unusable(error: ValidationError) -> dict[str, str]:
    """Why settings cannot be used, by the names of their variables; never their values."""
    return {
        _variable(".".join(map(str, item["loc"]))): f"{item['msg'][:1].lower()}{item['msg'][1:]}"
        for item in error.errors(include_input=False, include_url=False)
    }
