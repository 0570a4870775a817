"""The backend as pypiserver sees it: closed to whoever was not let in."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import IO, Any, Final

from entitlements_core.refusals import problem
from pypiserver_entitlements import pypiserver_api
from pypiserver_entitlements.current_user import AnonymousReader, Publisher, Uploader, current_user

__all__ = ["GuardedBackend"]

PkgFile = Any
"""pypiserver's PkgFile, which has no types."""

_INSTEAD: Final = "Upload another version, or ask the vendor to remove this one first."
_OVERWRITE: Final = "Raise the version, remove the file, or start the server with --overwrite."


class GuardedBackend(pypiserver_api.IBackend):  # type: ignore[misc] # pypiserver has no types
    """Stands before a backend, so that a way into pypiserver past the middleware leads nowhere.

    Args:
        wrapped: pypiserver's own, or a vendor's.
        changed: told the path of what was added or removed.
        overwrite: whether an upload may replace a file.
    """

    def __init__(
        self, wrapped: pypiserver_api.IBackend, changed: Callable[[str], None], *, overwrite: bool
    ) -> None:
        self._wrapped = wrapped
        self._changed = changed
        self._overwrite = overwrite
        self._is_file_backend = pypiserver_api.file_backend(wrapped)

    @property
    def backend(self) -> pypiserver_api.IBackend:
        """The one behind, as pypiserver's own proxy names it."""
        return pypiserver_api.unwrapped(self._wrapped)

    def get_all_packages(self) -> Iterable[PkgFile]:
        """All packages."""
        return self._readable().get_all_packages()  # type: ignore[no-any-return] # no types

    def find_project_packages(self, project: str) -> Iterable[PkgFile]:
        """Those of a project. Where there are none, pypiserver would go on to its fallback."""
        found = list(self._readable().find_project_packages(project))
        user = current_user()
        if not found and isinstance(user, Publisher | AnonymousReader) and user.stays:
            raise pypiserver_api.HTTPError(404, f"Not Found ({project} has no files)")
        return found

    def find_version(self, name: str, version: str) -> Iterable[PkgFile]:
        """Those of a version."""
        return self._readable().find_version(name, version)  # type: ignore[no-any-return] # no types

    def get_projects(self) -> Iterable[str]:
        """The names of all projects."""
        return self._readable().get_projects()  # type: ignore[no-any-return] # no types

    def package_count(self) -> int:
        """How many there are."""
        return int(self._readable().package_count())

    def digest(self, pkg: PkgFile) -> str | None:
        """The hash of a package, as ``algorithm=hex``."""
        found: str | None = self._readable().digest(pkg)
        return found

    def exists(self, filename: str) -> bool:
        """Whether there is a file of that name."""
        return bool(self._writable(filename).exists(filename))

    def add_package(self, filename: str, stream: IO[bytes]) -> None:
        """Store an upload, or refuse it where it would replace a file and may not."""
        backend = self._writable(filename)
        if self._is_file_backend:
            try:
                pypiserver_api.add_whole(backend, filename, stream, replace=self._overwrite)
            except FileExistsError:
                raise _taken(filename) from None
            self._changed(str(Path(self.backend.roots[0]) / filename))
        elif not self._overwrite and backend.exists(filename):
            raise _taken(filename)
        else:
            backend.add_package(filename, stream)
            self._changed("")

    def remove_package(self, pkg: PkgFile) -> None:
        """Remove a file."""
        if not isinstance(current_user(), Publisher):
            raise pypiserver_api.HTTPError(403, "Only publishers remove packages.")
        self._wrapped.remove_package(pkg)
        self._changed(str(pkg.fn or ""))

    def _readable(self) -> pypiserver_api.IBackend:
        if not isinstance(current_user(), Publisher | AnonymousReader):
            raise pypiserver_api.HTTPError(401, "Entitlement token required")
        return self._wrapped

    def _writable(self, filename: str) -> pypiserver_api.IBackend:
        user = current_user()
        allowed = isinstance(user, Publisher) or (
            isinstance(user, Uploader) and filename in user.filenames
        )
        if not allowed:
            raise pypiserver_api.HTTPError(403, "This upload was not allowed.")
        return self._wrapped


def _taken(filename: str) -> pypiserver_api.HTTPResponse:
    """The refusal of an upload of what there is already, with words that clients show."""
    remedy = _OVERWRITE if isinstance(current_user(), Publisher) else _INSTEAD
    answer = problem(409, f"File already exists: {filename}", remedy, code="file_exists")
    headers = dict(answer.headers)
    return pypiserver_api.HTTPResponse(b"".join(answer.body), answer.status_line, headers=headers)
