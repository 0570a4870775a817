"""Builds real wheels and sdists, and broken ones, for the tests of everything that serves them."""

import base64
import gzip
import hashlib
import io
import os
import tarfile
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

__all__ = [
    "age",
    "build_sdist",
    "build_wheel",
    "core_metadata",
    "sdist_bytes",
    "truncate",
    "wheel_bytes",
    "yank",
]


def core_metadata(
    name: str,
    version: str,
    *,
    requires: Iterable[str] = (),
    requires_python: str | None = None,
    summary: str = "A package for tests",
    overrides: Mapping[str, str | None] | None = None,
) -> bytes:
    """Core metadata; `overrides` replaces headers by name, or removes one with None."""
    headers: dict[str, str | None] = {
        "Metadata-Version": "2.4",
        "Name": name,
        "Version": version,
        "Summary": summary,
        "License-Expression": "MIT",
        "Requires-Python": requires_python,
        **(overrides or {}),
    }
    lines = [f"{header}: {value}" for header, value in headers.items() if value is not None]
    lines += [f"Requires-Dist: {requirement}" for requirement in requires]
    return "\n".join([*lines, "", "The description.", ""]).encode()


def wheel_bytes(
    name: str,
    version: str,
    *,
    requires: Iterable[str] = (),
    requires_python: str | None = None,
    summary: str = "A package for tests",
    overrides: Mapping[str, str | None] | None = None,
    dist_info: Iterable[str] | None = None,
    metadata: bytes | None = None,
    padding: int = 0,
    folder: str | None = None,
) -> bytes:
    """A pure wheel that pip installs: one module named after the project.

    `dist_info` are the stems of the ``.dist-info`` directories that get METADATA (by default one),
    `metadata` is METADATA in place of what the other arguments say, `padding` bytes that do not
    compress are added to the archive. `folder` is the stem of the one ``.dist-info`` directory,
    where it is not spelled as it should be. For the rest see `core_metadata`.
    """
    stem = f"{name.replace('-', '_')}-{version}" if folder is None else folder
    if metadata is None:
        metadata = core_metadata(
            name,
            version,
            requires=requires,
            requires_python=requires_python,
            summary=summary,
            overrides=overrides,
        )
    module = name.replace("-", "_").replace(".", "_")
    files = {f"{module}.py": f"__version__ = {version!r}\n".encode()}
    if padding:
        files[f"{module}_data.bin"] = os.urandom(padding)
    for directory in [stem] if dist_info is None else dist_info:
        files[f"{directory}.dist-info/METADATA"] = metadata
    files[f"{stem}.dist-info/WHEEL"] = (
        b"Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    )
    record = [f"{path},{_digest(data)},{len(data)}" for path, data in files.items()]
    files[f"{stem}.dist-info/RECORD"] = "\n".join(
        [*record, f"{stem}.dist-info/RECORD,,", ""]
    ).encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, data in files.items():
            archive.writestr(path, data)
    return buffer.getvalue()


def build_wheel(
    directory: Path,
    name: str,
    version: str,
    *,
    requires: Iterable[str] = (),
    requires_python: str | None = None,
    summary: str = "A package for tests",
    overrides: Mapping[str, str | None] | None = None,
    dist_info: Iterable[str] | None = None,
    metadata: bytes | None = None,
    padding: int = 0,
    folder: str | None = None,
    filename: str | None = None,
    tag: str = "py3-none-any",
    settled: bool = True,
) -> Path:
    """Write a wheel into a directory, which is made when it is not there; see `wheel_bytes`.

    `filename` takes the place of the one that fits, `tag` of its last part. A `settled` file is
    dated some seconds back, so that it does not count as still being written.
    """
    data = wheel_bytes(
        name,
        version,
        requires=requires,
        requires_python=requires_python,
        summary=summary,
        overrides=overrides,
        dist_info=dist_info,
        metadata=metadata,
        padding=padding,
        folder=folder,
    )
    stem = name.replace("-", "_")
    return _write(directory, filename or f"{stem}-{version}-{tag}.whl", data, settled=settled)


def sdist_bytes(
    name: str,
    version: str,
    *,
    requires: Iterable[str] = (),
    requires_python: str | None = None,
    pkg_info: bytes | None = None,
    padding: int = 0,
) -> bytes:
    """A ``.tar.gz`` with PKG-INFO (left out when `pkg_info` is empty) and a pyproject.toml."""
    stem = f"{name.replace('-', '_')}-{version}"
    if pkg_info is None:
        pkg_info = core_metadata(name, version, requires=requires, requires_python=requires_python)
    module = name.replace("-", "_").replace(".", "_")
    project = f'[project]\nname = "{name}"\nversion = "{version}"\n'
    files = {"pyproject.toml": project.encode(), f"{module}.py": b"", "PKG-INFO": pkg_info}
    if padding:
        files["data.bin"] = os.urandom(padding)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path, data in files.items():
            if data or path != "PKG-INFO":
                member = tarfile.TarInfo(f"{stem}/{path}")
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))
    return gzip.compress(buffer.getvalue(), mtime=0)


def build_sdist(
    directory: Path,
    name: str,
    version: str,
    *,
    requires: Iterable[str] = (),
    requires_python: str | None = None,
    pkg_info: bytes | None = None,
    padding: int = 0,
    filename: str | None = None,
    settled: bool = True,
) -> Path:
    """Write a ``.tar.gz`` sdist into a directory; see `sdist_bytes` and `build_wheel`."""
    data = sdist_bytes(
        name,
        version,
        requires=requires,
        requires_python=requires_python,
        pkg_info=pkg_info,
        padding=padding,
    )
    fitting = f"{name.replace('-', '_')}-{version}.tar.gz"
    return _write(directory, filename or fitting, data, settled=settled)


def yank(path: Path, reason: str = "") -> Path:
    """Mark a file as yanked (PEP 592) by the note beside it."""
    note = path.with_name(path.name + ".yanked")
    note.write_text(reason, encoding="utf-8", newline="")
    return note


def truncate(path: Path, keep: float = 0.5) -> Path:
    """Cut a file to a part of its bytes, as an upload that broke off."""
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * keep)])
    return age(path)


def age(path: Path, seconds: int = 10) -> Path:
    """Date a file back from its present modification time."""
    found = path.stat()
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns - seconds * 1_000_000_000))
    return path


def _write(directory: Path, filename: str, data: bytes, *, settled: bool) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / filename
    path.write_bytes(data)
    return age(path) if settled else path


def _digest(data: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    return f"sha256={digest}"
