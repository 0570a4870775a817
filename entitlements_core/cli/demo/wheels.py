"""A small index of real distributions for the demonstration: three projects and an sdist."""

import base64
import hashlib
import io
import tarfile
import zipfile
from pathlib import Path
from typing import Final

__all__ = ["build_index"]

_WHEEL: Final = (
    "Wheel-Version: 1.0\nGenerator: entitlements demo\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
)
_PYPROJECT: Final = (
    '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
)

DISTRIBUTIONS: Final = (
    ("acme-core", "1.0", ""),
    ("acme-core", "1.1", ""),
    ("acme-core", "2.0", ""),
    ("acme-report", "1.0", "acme-core>=1.0"),
    ("acme-report", "2.0", "acme-core>=2.0"),
    ("acme-internal", "1.0", ""),
)
"""Name, version and requirement of each wheel."""


def build_index(directory: Path) -> list[str]:
    """Write the distributions into `directory` and give their file names."""
    directory.mkdir(parents=True, exist_ok=True)
    names = [_wheel(directory, *distribution) for distribution in DISTRIBUTIONS]
    return [*names, _sdist(directory, "acme-core", "1.1")]


def _metadata(name: str, version: str, requirement: str) -> str:
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
    lines += ["Summary: Made by the demonstration", "Requires-Python: >=3.8"]
    lines += [f"Requires-Dist: {requirement}"] if requirement else []
    return "\n".join(lines) + "\n"


def _wheel(directory: Path, name: str, version: str, requirement: str) -> str:
    module = name.replace("-", "_")
    info = f"{module}-{version}.dist-info"
    files = {
        f"{module}.py": f'"""{name}."""\n\nversion = "{version}"\n',
        f"{info}/METADATA": _metadata(name, version, requirement),
        f"{info}/WHEEL": _WHEEL,
    }
    record = "".join(f"{path},sha256={_digest(text)},{len(text)}\n" for path, text in files.items())
    files[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n"
    filename = f"{module}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(directory / filename, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, text in files.items():
            archive.writestr(path, text)
    return filename


def _sdist(directory: Path, name: str, version: str) -> str:
    stem = f"{name.replace('-', '_')}-{version}"
    files = {"PKG-INFO": _metadata(name, version, ""), "pyproject.toml": _PYPROJECT}
    with tarfile.open(directory / f"{stem}.tar.gz", "w:gz") as archive:
        for path, text in files.items():
            member = tarfile.TarInfo(f"{stem}/{path}")
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
    return f"{stem}.tar.gz"


def _digest(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
