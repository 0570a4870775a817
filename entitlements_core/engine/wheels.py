"""The core metadata inside a wheel (PEP 427): the one file of it that an index serves."""

from typing import IO, Final, NamedTuple

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from entitlements_core.engine.distributions import METADATA_LIMIT, ParsedFilename, Unservable
from entitlements_core.engine.zips import find_member, read_member

__all__ = ["WheelMetadata", "wheel_metadata"]

_SUFFIX: Final = b".dist-info"
_METADATA: Final = b"METADATA"
_SHOWN: Final = 200


class WheelMetadata(NamedTuple):
    """The METADATA file of a wheel, and the name of the folder that it is in."""

    folder: str
    body: bytes

    @property
    def is_told_by_folder(self) -> bool:
        """Whether the folder's name ends in a version, as installers of today expect it.

        pip 26 takes what stands behind the first dash for the version of what is installed. Where
        that is none, it installs the file, and then ends in a traceback in that environment.
        """
        _, dash, version = self.folder.removesuffix(_SUFFIX.decode()).partition("-")
        try:
            return not dash or bool(str(Version(version)))
        except InvalidVersion:
            return False


def wheel_metadata(
    archive: IO[bytes], identity: ParsedFilename, limit: int = METADATA_LIMIT
) -> WheelMetadata:
    """The METADATA file of a wheel.

    The folder is chosen as installers choose it: there is one whose name ends in ``.dist-info`` at
    the top of the archive, and its normalised name begins with that of the project (in pip,
    ``wheel_dist_info_dir`` of ``pip/_internal/utils/wheel.py``; in uv, ``find_archive_dist_info``
    of its crate ``uv-metadata``, after pip's; `installer` takes it from RECORD's place, by the same
    suffix). Nothing else can be asked of its name: build tools have written ``+`` as ``_``, kept a
    dash of the project's name, left out the local version, or used another case. Which release it
    is says METADATA, see `distributions.describe`.

    Args:
        archive: seekable.
        identity: what the file name says.
        limit: bytes that METADATA may have, inclusive.

    Raises:
        TooLarge: METADATA has more.
        Unservable: the archive is damaged, or has no such folder with one METADATA in it.
    """
    folders: set[bytes] = set()

    def is_metadata(path: bytes) -> bool:
        folder, _, name = path.partition(b"/")
        if not folder.endswith(_SUFFIX):
            return False
        if len(folders) < 2:  # noqa: PLR2004 - two are too many already
            folders.add(folder)
        return name == _METADATA

    found = find_member(archive, is_metadata)
    if found.count != 1:
        raise Unservable.misbuilt(
            f"The wheel has {found.count} files *.dist-info/METADATA, not one."
        )
    if len(folders) != 1:
        raise Unservable.misbuilt("The wheel has more than one folder *.dist-info.")
    path = found.name.decode("utf-8", "backslashreplace")
    if not canonicalize_name(path).startswith(identity.name):
        raise Unservable.misbuilt(
            f"The wheel holds {path[:_SHOWN]!r}, its file name says "
            f"'{identity.name} {identity.version}'."
        )
    return WheelMetadata(path.partition("/")[0], read_member(archive, found, limit))
