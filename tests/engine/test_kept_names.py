"""The projects of files that cannot be served are the vendor's, too, and stay so."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest
from packaging.utils import canonicalize_name

from entitlements_core.engine.distributions import METADATA_LIMIT
from entitlements_core.engine.stated_names import stated_name
from entitlements_core.errors import StoreError
from entitlements_core.store.reader import CredentialReader
from entitlements_core.store.upload_register import UploadRegister
from tests.engine.test_upload_times import Place, place
from tests.factories import REPOSITORY
from tests.wheelhouse import age, build_sdist, build_wheel, core_metadata, sdist_bytes, wheel_bytes

__all__ = ["place"]

UNSERVABLE: Final = (
    *("late-1.0.egg", "late-1.0.tar.bz2", "late-1.0.TAR.GZ", "late-1.0-py3-none-any.WHL"),
    *("late-1.0-py3-none-any.whl", "late-1.0.Zip", "late-dev.tar.gz", "late.whl", "late-1.0.exe"),
)


def zipped(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def own(place: Place, name: str) -> bool:
    with closing(CredentialReader(place.url)) as reader:
        return reader.is_own(canonicalize_name(name), REPOSITORY)


@pytest.mark.parametrize("filename", UNSERVABLE)
def test_whatever_the_file_was(place: Place, filename: str) -> None:
    place.files.mkdir(exist_ok=True)
    path = place.files / filename
    with place.catalog() as catalog:
        assert not own(place, "late")
        path.write_text("nothing that can be served")
        catalog.refresh()
        assert catalog.has_name(canonicalize_name("late"))
        assert [Path(problem.path).name for problem in catalog.problems] == [filename]
        path.unlink()
        catalog.refresh()
        assert not catalog.has_name(canonicalize_name("late"))
    assert own(place, "late")
    assert not own(place, "other")


@pytest.mark.parametrize("kind", ["wheel", "sdist"])
@pytest.mark.parametrize(
    ("stated", "other"),
    [("acme-secret", "acme-secret"), ("Acme_Secret", "acme-secret"), ("a b", ""), ("", "")],
)
def test_of_a_file_that_contradicts_its_name_both_are_kept(
    place: Place, stated: str, other: str, kind: str
) -> None:
    said = f"Metadata-Version: 2.1\nName: {stated}\nVersion: 1.0\n".encode()
    if kind == "wheel":
        build_wheel(place.files, "late", "1.0", metadata=said)
    else:
        build_sdist(place.files, "late", "1.0", pkg_info=said)
    with place.catalog() as catalog:
        [problem] = catalog.problems
        assert " is of " in problem.reason
        assert catalog.snapshot.projects == {}
        assert catalog.has_name(canonicalize_name("late"))
        assert not other or catalog.has_name(canonicalize_name(other))
    assert own(place, "late")
    assert not other or own(place, other)
    with place.catalog() as again:  # from the catalog's cache
        assert not other or again.has_name(canonicalize_name(other))


EGG = "EGG-INFO/PKG-INFO"
NAMED = core_metadata("acme-secret", "1.0")
INSIDE: Final = {
    "a wheel of another name": ("late-1.0-py3-none-any.whl", wheel_bytes("acme-secret", "1.0")),
    "a wheel without a version": ("late.whl", wheel_bytes("acme-secret", "1.0")),
    "a wheel with two folders": (
        "late-1.0-py3-none-any.whl",
        wheel_bytes("late", "1.0", dist_info=["late-1.0", "late-2.0"], metadata=NAMED),
    ),
    "a wheel of an odd folder": (
        "late-1.0-py3-none-any.whl",
        wheel_bytes("acme-secret", "1.0", folder="hidden-1.0"),
    ),
    "an sdist without a version": ("late.tar.gz", sdist_bytes("acme-secret", "1.0")),
    "an sdist that is cut": (
        "late-1.0.tar.gz",
        sdist_bytes("acme-secret", "1.0", padding=9_000)[:-3_000],
    ),
    "an sdist with more behind it": ("late-2.tar.gz", sdist_bytes("acme-secret", "1.0") + b"x"),
    "a zip": ("late.zip", zipped({"acme-1.0/PKG-INFO": NAMED})),
    "an egg that was renamed": ("late.zip", zipped({EGG: NAMED})),
    "a byte order mark": ("late.zip", zipped({EGG: b"\xef\xbb\xbf" + NAMED})),
    "a name with blanks": ("late.zip", zipped({EGG: b"Name: acme  secret\n"})),
    "a name with a character": ("lat\u00e9-1.0.tar.gz", sdist_bytes("Acme_Secret", "1.0")),
    "other bytes than UTF-8": (
        "late-1.0-py3-none-any.whl",
        wheel_bytes("late", "1.0", metadata=NAMED + b"\n\n\xff"),
    ),
}


@pytest.mark.parametrize("case", INSIDE)
def test_the_name_inside_is_kept_whatever_is_wrong_outside(place: Place, case: str) -> None:
    filename, data = INSIDE[case]
    place.files.mkdir(exist_ok=True)
    path = place.files / filename
    path.write_bytes(data)
    age(path)
    with place.catalog() as catalog:
        assert len(catalog.problems) == 1
        assert catalog.has_name(canonicalize_name("acme-secret"))
    assert own(place, "acme-secret")
    with place.catalog() as again:  # from the catalog's cache
        assert again.has_name(canonicalize_name("acme-secret"))


NAMELESS: Final = {
    "no archive": b"none",
    "no metadata": zipped({"a.py": b""}),
    "no name": zipped({EGG: b"Version: 1\n"}),
    "no letter": zipped({EGG: b"Name: ---\n"}),
    "too much": zipped({EGG: b"Name: acme-secret\n" + b" " * METADATA_LIMIT}),
}


@pytest.mark.parametrize("data", NAMELESS.values(), ids=NAMELESS)
@pytest.mark.parametrize("filename", ["late.whl", "late.zip", "late.tar.gz"])
def test_what_states_no_name(filename: str, data: bytes) -> None:
    assert stated_name(io.BytesIO(data), filename) is None


def test_who_only_looks_keeps_none(place: Place) -> None:
    place.files.mkdir(exist_ok=True)
    (place.files / "late-1.0.egg").write_text("")
    with place.catalog(records=False) as catalog:
        assert catalog.has_name(canonicalize_name("late"))
    assert not own(place, "late")


def test_a_store_that_was_away_is_told_later(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    build_wheel(place.files, "foo", "1.0")
    (place.files / "late-1.0.egg").write_text("")

    def fail(*_: object) -> None:
        raise StoreError("The store is away.")

    with monkeypatch.context() as patch:
        patch.setattr(UploadRegister, "keep_names", fail)
        with place.catalog() as catalog:
            assert catalog.snapshot.projects.keys() == {"foo"}
            assert not own(place, "late")
            patch.undo()
            catalog.refresh()
            assert own(place, "late")


def test_of_a_repository_that_is_not_there_nothing_is_kept(place: Place) -> None:
    place.uploads("acme/none").keep_names({canonicalize_name("late")})
    assert not own(place, "late")
