"""pypiserver as a WSGI application, with entitlements."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from entitlements_core.engine.loading_errors import told_in_words
from entitlements_core.errors import ConfigurationError
from pypiserver_entitlements import pypiserver_api
from pypiserver_entitlements.configuration import NO, YES, Options
from pypiserver_entitlements.patch import building

__all__ = ["app", "paste_app"]

PREFIX: Final = "entitlements_"


def app(
    *,
    backend: pypiserver_api.IBackend
    | Callable[[pypiserver_api.RunConfig], pypiserver_api.IBackend]
    | None = None,
    **options: Any,  # noqa: ANN401 - as pypiserver's
) -> pypiserver_api.Bottle:
    """A protected pypiserver, for gunicorn, uWSGI, mod_wsgi and the like.

    Args:
        backend: your own, or what makes it of pypiserver's configuration.
        options: those of ``pypiserver.app``, and ``entitlements_home``, ``entitlements_repo``,
            ``entitlements_public``, ``entitlements_create``, ``entitlements_upload_limit`` and
            ``entitlements_plugins``; see `Options.load`.

    Raises:
        EntitlementsError: when something is configured wrongly, or the store cannot be opened.
    """
    ours, theirs = _divided(options)
    with told_in_words(), building(Options.load(**ours)) as pypiserver:
        with files_named():
            config = pypiserver_api.configured(theirs)
        if backend is not None:
            config.backend = backend(config) if callable(backend) else backend
        return pypiserver.setup_routes_from_config(pypiserver.app_from_config(config), config)


def paste_app(global_config: Mapping[str, str], **local: str) -> pypiserver_api.Bottle:
    """The same for a paste configuration: ``use = egg:index-entitlements#pypiserver``.

    Raises:
        EntitlementsError: as `app` does.
    """
    with told_in_words():
        return _paste_app(global_config, *_divided(local))


def _paste_app(
    global_config: Mapping[str, str], ours: dict[str, str], theirs: dict[str, str]
) -> pypiserver_api.Bottle:
    try:
        read = {name: _READERS[name](text.strip()) for name, text in ours.items()}
    except (KeyError, ValueError) as error:
        names = ", ".join(f"{PREFIX}{name}" for name in _READERS)
        raise ConfigurationError(
            f"The paste configuration cannot be read: {error}.", f"Our options are {names}."
        ) from None
    with building(Options.load(**read)) as pypiserver, files_named():
        return pypiserver.paste_app_factory(global_config, **theirs)


@contextmanager
def files_named() -> Iterator[None]:
    """What pypiserver lets pass of files that it cannot read, as an error of ours.

    Raises:
        ConfigurationError: naming the file.
    """
    try:
        yield
    except OSError as error:
        if error.filename is None:
            raise
        raise ConfigurationError(
            f"pypiserver cannot read {error.filename}: {error.strerror}.",
            "Make it, or correct its name: the password file (-P), a package directory or another"
            " file that was named.",
        ) from None


def _divided(options: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Our options without their prefix, and pypiserver's."""
    ours = {
        name.removeprefix(PREFIX): value
        for name, value in options.items()
        if name.startswith(PREFIX)
    }
    theirs = {name: value for name, value in options.items() if not name.startswith(PREFIX)}
    return ours, theirs


def _yes(text: str) -> bool:
    if text.lower() in YES | NO:
        return text.lower() in YES
    raise ValueError(f"{text!r} is neither yes nor no")


_READERS: Final[Mapping[str, Callable[[str], Any]]] = {
    "home": str,
    "repo": str,
    "public": _yes,
    "create": _yes,
    "upload_limit": int,
}
