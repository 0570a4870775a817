"""When files came into repositories, as one transaction sees it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import insert
from sqlmodel import Session, col, select

from entitlements_core.interfaces import UploadKey
from entitlements_core.store.models import UploadRow
from entitlements_core.store.repositories import Repositories

__all__ = ["UploadTimeRows"]

_FEW: Final = 500
"""Up to so many names are asked for by name."""


@dataclass(frozen=True, slots=True)
class UploadTimeRows:
    """The upload times of files. A file is its name and its contents, and is never forgotten."""

    session: Session

    def record(
        self,
        repository: str,
        found: Mapping[UploadKey, datetime],
        now: datetime,
        *,
        complete: bool,
    ) -> dict[UploadKey, datetime]:
        """Record the files that are new, and give the times of all; the first record counts.

        A repository that was never looked at is adopted: what lies in it counts as uploaded when
        it was last modified, `now` at the latest. Everything after that is uploaded `now`.

        Args:
            repository: ``owner/slug``.
            found: the files, with their modification times.
            now: aware, UTC.
            complete: there are no others, so that from now on the repository is adopted.

        Raises:
            NotFound: when there is no such repository.
        """
        row = Repositories(self.session).row(repository)
        known = self._known(row.id or 0, found)
        new = {
            upload: now if row.adopted_at is not None else min(modified, now)
            for upload, modified in found.items()
            if upload not in known
        }
        if new:
            self.session.execute(
                insert(UploadRow),
                [
                    {"repository_id": row.id, "filename": filename, "sha256": sha256, "at": at}
                    for (filename, sha256), at in new.items()
                ],
            )
        if complete and row.adopted_at is None:
            row.adopted_at = now
            self.session.add(row)
        return {upload: known.get(upload) or new[upload] for upload in found}

    def of(self, repository: str, filename: str) -> dict[str, datetime]:
        """The upload times of all files that ever had a name, by their SHA-256; oldest first.

        Raises:
            NotFound: when there is no such repository.
        """
        number = Repositories(self.session).row_id(repository)
        query = select(UploadRow).where(
            UploadRow.repository_id == number, UploadRow.filename == filename
        )
        rows = self.session.exec(query.order_by(col(UploadRow.at), col(UploadRow.sha256)))
        return {row.sha256: row.at for row in rows}

    def put(self, repository: str, upload: UploadKey, at: datetime) -> None:
        """Change a recorded time, and raise the repository's revision, by which servers see it.

        Raises:
            NotFound: when there is no such repository.
        """
        repositories = Repositories(self.session)
        filename, sha256 = upload
        row = self.session.get_one(UploadRow, (repositories.row_id(repository), filename, sha256))
        row.at = at
        self.session.add(row)
        repositories.touch(repository)

    def _known(self, number: int, found: Collection[UploadKey]) -> dict[UploadKey, datetime]:
        query = select(UploadRow.filename, UploadRow.sha256, UploadRow.at)
        query = query.where(UploadRow.repository_id == number)
        if len(found) <= _FEW:
            query = query.where(col(UploadRow.filename).in_({filename for filename, _ in found}))
        rows = self.session.exec(query)
        return {(filename, sha256): at for filename, sha256, at in rows}
