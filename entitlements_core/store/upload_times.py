"""When files came into repositories, as one transaction sees it; `UploadRegister` records it."""

from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, select

from entitlements_core.interfaces import UploadKey
from entitlements_core.store.models import UploadRow
from entitlements_core.store.repositories import Repositories

__all__ = ["UploadTimeRows"]


@dataclass(frozen=True, slots=True)
class UploadTimeRows:
    """The upload times of files. A file is its name and its contents, and is never forgotten."""

    session: Session

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
