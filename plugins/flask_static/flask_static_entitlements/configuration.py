"""What an extension or wrapper is given, as settings and mounts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypedDict, cast

from entitlements_core.errors import ConfigurationError
from entitlements_core.services.settings import Settings
from flask_static_entitlements.constants import PREFIX
from flask_static_entitlements.routes import Mount, Routes

__all__ = ["Configuration", "Options", "RepositoryOptions", "configure"]

OneOrMorePaths = Sequence[str | Path] | str | Path


class RepositoryOptions(TypedDict, total=False):
    """One of several repositories."""

    directories: OneOrMorePaths
    url_prefix: str
    protect: Sequence[str] | str
    file_url: str
    accel_redirect: Sequence[str] | str
    upstream: str


class Options(TypedDict, total=False):
    """What constructors take.

    All but ``plugins`` can also be set as ``ENTITLEMENTS_<NAME>`` in an app's configuration, and
    the settings of the server (`Settings`) in the environment.
    """

    repository: str
    directories: OneOrMorePaths
    upstream: str
    repositories: Mapping[str, RepositoryOptions]
    url_prefix: str
    protect: Sequence[str] | str
    file_url: str
    create_repositories: bool
    plugins: Sequence[object]

    home: str | Path
    database_url: str
    durability: Literal["process", "power"]
    download_window: int
    ipv6_prefix: int
    trusted_proxies: Sequence[str] | str
    forwarded_header: Literal["", "X-Forwarded-For", "Forwarded"]
    guesses_per_minute: int
    seal_secrets: bool
    token_quota: int
    eula_url: str
    accel_redirect: Sequence[str] | str
    sendfile: bool
    connect_timeout: float
    answer_timeout: float
    lock_timeout: float
    keepalive: float
    watch: Literal["events", "polling"]
    metadata_limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """Everything that is fixed before the first request.

    Attributes:
        settings: of the services.
        mounts: the repositories.
        routes: which addresses are theirs.
        create_repositories: add a repository that the store does not have.
        plugins: objects to register beside the installed plugins.
    """

    settings: Settings
    mounts: tuple[Mount, ...]
    routes: Routes
    create_repositories: bool = False
    plugins: tuple[object, ...] = ()


def configure(options: Mapping[str, object], config: Mapping[str, object]) -> Configuration:
    """Put together what was given and what is configured.

    Args:
        options: of a constructor, see `Options`; they win.
        config: of an app, where the names begin with ``ENTITLEMENTS_``.

    Raises:
        ConfigurationError: when something is missing, unknown or contradicts.
    """
    known = Options.__annotations__
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise ConfigurationError(
            f"There is no option {unknown[0]!r}.", f"The options are {', '.join(sorted(known))}."
        )
    values = {name: _given(name, options, config) for name in known}
    settings = settings_from(values)
    mounts = _mounts(values, settings)
    return Configuration(
        settings=settings,
        mounts=mounts,
        routes=Routes(mounts),
        create_repositories=bool(values["create_repositories"]),
        plugins=tuple(cast("Iterable[object]", values["plugins"] or ())),
    )


def settings_from(values: Mapping[str, object]) -> Settings:
    """The settings among `values`; what is left out is read from the environment.

    Raises:
        ConfigurationError: naming each that cannot be used.
    """
    given = {name: values.get(name) for name in Settings.model_fields}
    for name in ("directories", "trusted_proxies", "accel_redirect"):
        if given.get(name) is not None and not isinstance(given[name], str):
            given[name] = _words(given[name])
    return Settings.load(**given)


def _given(name: str, options: Mapping[str, object], config: Mapping[str, object]) -> object:
    value = options.get(name)
    return config.get(PREFIX + name.upper()) if value is None else value


def _mounts(values: Mapping[str, object], settings: Settings) -> tuple[Mount, ...]:
    several = cast("Mapping[str, RepositoryOptions]", values["repositories"] or {})
    if several and (values["repository"] or values["directories"] or values["url_prefix"]):
        raise ConfigurationError(
            "Both one repository and several are configured.",
            "Write repository, directories and url_prefix into each entry of repositories.",
        )
    if several:
        return tuple(_mount(name, own, f"/{name}") for name, own in several.items())
    if not settings.repository:
        raise ConfigurationError(
            "No repository is configured.",
            "Set ENTITLEMENTS_REPOSITORY to its owner/slug and ENTITLEMENTS_DIRECTORIES,"
            " or ENTITLEMENTS_REPOSITORIES.",
        )
    own = {name: values[name] for name in ("url_prefix", "protect", "file_url")}
    own["directories"] = settings.directories
    return (_mount(settings.repository, own, ""),)


_KEYS: Final = frozenset(RepositoryOptions.__annotations__)


def _mount(name: str, own: Mapping[str, object], prefix: str) -> Mount:
    unknown = sorted(set(own) - _KEYS)
    if unknown:
        raise ConfigurationError(
            f"The repository {name} has an unknown option {unknown[0]!r}.",
            f"The options are {', '.join(sorted(_KEYS))}.",
        )
    given, upstream = own.get("url_prefix"), own.get("upstream")
    return Mount(
        repository=name,
        directories=_words(own.get("directories")),
        prefix=(prefix if given is None else str(given)).rstrip("/"),
        protect=_prefixes(own.get("protect")),
        file_url=str(own.get("file_url") or ""),
        accel_redirect=_words(own.get("accel_redirect")),
        upstream=None if upstream is None else str(upstream),
    )


def _prefixes(value: object) -> tuple[str, ...]:
    words = value.split(",") if isinstance(value, str) else _words(value)
    return tuple(word.strip().rstrip("/") for word in words)


def _words(value: object) -> tuple[str, ...]:
    """One word or several, as text."""
    if value is None:
        return ()
    if isinstance(value, str | Path):
        return (str(value),)
    return tuple(str(item) for item in cast("Iterable[object]", value))
