"""What we rely on in pypiserver. Besides this module, `patch` and `cli` import it.

A test names each of these and what is expected of it, so that an upgrade fails there and not at a
customer.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

import pypiserver
from pypiserver.backend import BackendProxy, CachingFileBackend, IBackend, SimpleFileBackend
from pypiserver.bottle_wrapper import BaseRequest, Bottle, GeventServer, HTTPError, HTTPResponse
from pypiserver.config import DEFAULTS, Config, HtpasswdFile, RunConfig

__all__ = [
    "NO_PASSWORDS",
    "Auther",
    "Bottle",
    "GeventServer",
    "HTTPError",
    "HTTPResponse",
    "IBackend",
    "RunConfig",
    "UploadForm",
    "UploadedFile",
    "add_whole",
    "configured",
    "default_auther",
    "fallback",
    "fallback_given",
    "file_backend",
    "is_own",
    "password_file",
    "read_body",
    "read_form",
    "roots_of",
    "unwrapped",
    "users_in",
]

Auther = Callable[[str, str], bool]

NO_PASSWORDS: Final = (None, ".")
"""What ``-P`` is when pypiserver knows nobody: it then says no to all, or yes to all."""


@dataclass(frozen=True, slots=True)
class UploadedFile:
    """One file of an upload form: its name as the client gave it, and its contents."""

    filename: str
    file: IO[bytes]


@dataclass(frozen=True, slots=True)
class UploadForm:
    """What pypiserver will read of an upload. None is what the form does not have."""

    action: str | None
    content: UploadedFile | None
    signature: UploadedFile | None


def read_form(environ: dict[str, Any]) -> UploadForm:
    """Parse the body of a POST as pypiserver does, reading it to its end.

    The parser is bottle's own and keeps what it found in the environment, where pypiserver finds it
    again: there is no second reading that could see other names in the same bytes.

    Raises:
        ValueError: when it is no form.
    """
    # Media types ignore case (RFC 9110, 8.3.1); bottle does, and the parser below it does not.
    media, semicolon, parameters = environ.get("CONTENT_TYPE", "").partition(";")
    environ["CONTENT_TYPE"] = f"{media.lower()}{semicolon}{parameters}"
    request = BaseRequest(environ)
    try:
        files = request.files
        return UploadForm(
            action=request.forms.get(":action"),
            content=_upload(files.get("content")),
            signature=_upload(files.get("gpg_signature")),
        )
    except HTTPResponse as error:
        raise ValueError(error.body) from None


def read_body(environ: dict[str, Any]) -> None:
    """Read the body of a request to its end, and keep it where bottle looks for it.

    Reading it later would give way to other greenlets while bottle's thread-locals are in use.
    """
    _ = BaseRequest(environ).body


def _upload(found: Any) -> UploadedFile | None:  # noqa: ANN401 - bottle's FileUpload has no types
    return None if found is None else UploadedFile(str(found.raw_filename), found.file)


def is_own(auther: Auther) -> bool:
    """Whether pypiserver made the function that checks passwords, and not the vendor."""
    return (getattr(auther, "__module__", None) or "pypiserver").partition(".")[0] == "pypiserver"


def default_auther(config: RunConfig) -> Auther | None:
    """What tells publishers by name and password; None where pypiserver knows nobody.

    Without a password file pypiserver's own function answers all alike, with ``-P .`` even yes.
    """
    auther: Auther = config.auther
    if not is_own(auther):
        return auther
    return None if config.password_file in NO_PASSWORDS else _of_file(str(config.password_file))


def _of_file(path: str) -> Auther:
    """As pypiserver's own, but of what the file holds now, and never of what it held before.

    passlib takes note of a file's time before it reads it: one that is damaged is told of once, and
    then whoever was in it before is let in again.
    """
    known = HtpasswdFile(path)

    def check(username: str, password: str) -> bool:
        nonlocal known
        try:
            known.load_if_changed()
        except ValueError:
            known = HtpasswdFile.from_string(b"")
            known.path = path
            raise
        return bool(known.check_password(username, password))

    return check


def password_file(config: RunConfig) -> str | None:
    """The file that names the publishers; None where there is none, or it is not asked."""
    named = None if config.password_file in NO_PASSWORDS else str(config.password_file)
    return named if is_own(config.auther) else None


def users_in(file: str) -> frozenset[str]:
    """The users of a password file."""
    return frozenset(HtpasswdFile(file).users())


def configured(options: dict[str, Any]) -> RunConfig:
    """The configuration that ``pypiserver.app`` makes of its arguments."""
    return Config.default_with_overrides(**pypiserver.backwards_compat_kwargs(options))


def fallback(config: RunConfig) -> str | None:
    """The index that pypiserver sends publishers to for projects it has no files of, or None."""
    return None if config.disable_fallback else str(config.fallback_url)


def fallback_given(config: RunConfig) -> str | None:
    """The same where somebody chose it; pypiserver falls back to the public index by itself."""
    found = fallback(config)
    return None if found == str(DEFAULTS.FALLBACK_URL) else found


def unwrapped(backend: IBackend) -> IBackend:
    """The backend behind pypiserver's proxy."""
    return backend.backend if isinstance(backend, BackendProxy) else backend


def file_backend(backend: IBackend) -> bool:
    """Whether this is one of pypiserver's own two, which show what lies in the directories.

    A subclass may show anything, and is asked.
    """
    return type(unwrapped(backend)) in {SimpleFileBackend, CachingFileBackend}


def roots_of(config: RunConfig) -> list[Path]:
    """The package directories; uploads go to the first."""
    return [Path(root).expanduser().absolute() for root in config.roots]


def add_whole(backend: IBackend, filename: str, stream: IO[bytes], *, replace: bool) -> None:
    """Store an upload in a file backend, so that nobody ever meets half of it.

    pypiserver writes into the file that is there. Whoever is downloading it would get the beginning
    of one file and the end of another.

    Args:
        backend: where to.
        filename: without a directory.
        stream: the contents.
        replace: whether it may take the place of a file that is there.

    Raises:
        FileExistsError: when it may not, and there is one, however lately it came.
        ValueError: when that is not the name of a file.
    """
    if Path(filename).name != filename:
        raise ValueError(f"{filename!r} is not the name of a file")
    plain = unwrapped(backend)
    root = Path(plain.roots[0])
    if not replace and plain.exists(filename):  # in any of the directories
        raise FileExistsError(filename)
    hidden = f".upload-{secrets.token_hex(8)}"  # neither pypiserver nor the catalog lists it
    try:
        plain.add_package(hidden, stream)
        _move(root / hidden, root / filename, replace=replace)
    finally:
        (root / hidden).unlink(missing_ok=True)
    if isinstance(plain, CachingFileBackend):
        plain.cache_manager.invalidate_root_cache(root)


def _move(source: Path, target: Path, *, replace: bool) -> None:
    """Rename a file at once; a second link is what the kernel refuses where there is a file."""
    if not replace:
        try:
            target.hardlink_to(source)
        except FileExistsError:
            raise
        except OSError:  # a file system without links
            if target.exists():
                raise FileExistsError(target) from None
        else:
            return
    source.replace(target)
