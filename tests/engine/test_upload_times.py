"""Upload times: of what ordinary handling of files does, only what is new counts as uploaded."""

import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from entitlements_core.engine import upload_time_sync
from entitlements_core.engine.catalog import Catalog
from entitlements_core.engine.scan import Listing, Problem
from entitlements_core.engine.source import Directories
from entitlements_core.errors import StoreError
from entitlements_core.policy.credential import Credential, Grant
from entitlements_core.policy.visibility import visibility
from entitlements_core.services.operations import Operations
from entitlements_core.services.recorded_uploads import RecordedUploads
from entitlements_core.services.upload_times import UploadService
from entitlements_core.store.database import Database
from entitlements_core.store.upload_register import UploadRegister
from tests.actors import person
from tests.factories import REPOSITORY, add_repository
from tests.wheelhouse import wheel_bytes

START = datetime(2026, 6, 1, tzinfo=UTC)
DAY = timedelta(days=1)
OTHER = "acme/other"
NAMES = tuple(f"lab_{letter}-1.0-py3-none-any.whl" for letter in "ab")
CONTENTS = {
    name: [wheel_bytes(name[:5].replace("_", "-"), "1.0", padding=size) for size in (10, 20, 30)]
    for name in NAMES
}
FILE = NAMES[0]


@dataclass
class Place:
    """A folder of files, and a store that remembers them; a clock that is set by hand."""

    folder: Path
    url: str
    now: datetime = START
    opened: list[UploadRegister] = field(default_factory=list)

    @property
    def files(self) -> Path:
        return self.folder / "files"

    def uploads(self, repository: str = REPOSITORY, *, records: bool = True) -> RecordedUploads:
        self.opened.append(UploadRegister(self.url))
        return RecordedUploads(
            repository=repository,
            register=self.opened[-1],
            clock=lambda: self.now,
            records=records,
        )

    @contextmanager
    def catalog(self, repository: str = REPOSITORY, *, records: bool = True) -> Iterator[Catalog]:
        """A catalog that has looked at everything."""
        catalog = Catalog(
            [self.files],
            repository=repository,
            cache=self.folder / "catalog.db",
            clock=lambda: self.now,
            uploads=self.uploads(repository, records=records),
        )
        try:
            catalog.refresh()
            yield catalog
        finally:
            catalog.close()

    def times(self, repository: str = REPOSITORY, *, records: bool = True) -> dict[str, datetime]:
        """The upload times that a server shows after a restart."""
        with self.catalog(repository, records=records) as catalog:
            return times(catalog)

    def put(self, name: str, content: int, modified: datetime) -> None:
        path = self.files / name
        path.write_bytes(CONTENTS[name][content])
        touch(path, modified)

    def drop_cache(self) -> None:
        for path in self.folder.glob("catalog.db*"):
            path.unlink()


def touch(path: Path, modified: datetime) -> None:
    os.utime(path, (modified.timestamp(), modified.timestamp()))


def times(catalog: Catalog) -> dict[str, datetime]:
    """The upload times of all files, which pages show as well; None is left out."""
    found = {}
    for name, file in catalog.snapshot.files.items():
        at = file.facts.uploaded_at
        assert (at is None) is (b'"upload-time"' not in file.json)
        if at is not None:
            assert f'"upload-time":"{at:%Y-%m-%dT%H:%M:%S}.'.encode() in file.json
            found[name] = at
    return found


def visible(catalog: Catalog, until: datetime) -> set[str]:
    """What a customer sees whose updates end then."""
    grant = Grant(repository=REPOSITORY)
    frozen = Credential(identifier="abcdefghijkl", grants=(grant,), updates_until=until)
    shows = visibility(frozen, grant, START).shows
    return {name for name, file in catalog.snapshot.files.items() if shows(file.facts)}


@contextmanager
def opened(folder: Path, template: Path) -> Iterator[Place]:
    shutil.copy(template, folder / "store.db")
    place = Place(folder, f"sqlite:///{folder / 'store.db'}")
    place.files.mkdir()
    database = Database(place.url)
    add_repository(database)
    add_repository(database, OTHER)
    database.close()
    try:
        yield place
    finally:
        for reader in place.opened:
            reader.close()


@pytest.fixture
def place(tmp_path: Path, sqlite_template: Path) -> Iterator[Place]:
    with opened(tmp_path, sqlite_template) as place:
        yield place


def test_what_lies_there_at_first_is_adopted_and_the_rest_is_uploaded_when_it_comes(
    place: Place,
) -> None:
    old, new = NAMES
    place.put(old, 0, START - 100 * DAY)
    assert place.times() == {old: START - 100 * DAY}
    place.now += DAY
    place.put(new, 0, START - 200 * DAY)
    assert place.times() == {old: START - 100 * DAY, new: START + DAY}


def test_a_repository_that_was_empty_at_first_adopts_nothing_later(place: Place) -> None:
    assert place.times() == {}
    place.now += DAY
    place.put(FILE, 0, START - 100 * DAY)
    assert place.times() == {FILE: START + DAY}


def test_what_claims_to_come_from_the_future_is_adopted_now(place: Place) -> None:
    place.put(FILE, 0, START + 100 * DAY)
    assert place.times() == {FILE: START}


def test_the_same_bytes_again_change_nothing_and_others_are_a_new_upload(place: Place) -> None:
    place.put(FILE, 0, START - 9 * DAY)
    with place.catalog() as catalog:
        for number, (content, expected) in enumerate([(0, -9), (1, 2), (0, -9), (1, 2), (2, 5)], 1):
            place.now = START + number * DAY
            place.put(FILE, content, place.now)
            catalog.refresh()
            assert times(catalog) == {FILE: START + expected * DAY}
            (place.files / FILE).unlink()
            catalog.refresh()


def test_two_repositories_over_one_folder_have_their_own_times(place: Place) -> None:
    place.put(FILE, 0, START - 9 * DAY)
    assert place.times() == {FILE: START - 9 * DAY}
    place.put(NAMES[1], 0, START - 9 * DAY)
    place.now += DAY
    assert place.times() == {FILE: START - 9 * DAY, NAMES[1]: START + DAY}
    assert place.times(OTHER) == {FILE: START - 9 * DAY, NAMES[1]: START - 9 * DAY}


def test_who_only_looks_sees_what_a_server_would_record_and_records_nothing(place: Place) -> None:
    place.put(FILE, 0, START - 9 * DAY)
    assert place.times(records=False) == {FILE: START - 9 * DAY}
    place.put(FILE, 0, START - 7 * DAY)
    assert place.times() == {FILE: START - 7 * DAY}
    place.put(NAMES[1], 0, START - 9 * DAY)
    place.now += DAY
    assert place.times(records=False)[NAMES[1]] == START + DAY
    place.now += DAY
    assert place.times()[NAMES[1]] == START + 2 * DAY


def test_the_earliest_of_equal_files_is_adopted(place: Place) -> None:
    for folder, age in (("a", 3), ("b", 9), ("c", 6)):
        (place.files / folder).mkdir()
        place.put(FILE, 0, START - age * DAY)
        (place.files / FILE).rename(place.files / folder / FILE)
    with place.catalog() as catalog:
        assert times(catalog) == {FILE: START - 9 * DAY}
        (place.files / "a" / FILE).unlink()
        catalog.refresh()
        assert times(catalog) == {FILE: START - 9 * DAY}


class Failing(Directories):
    """A source that cannot tell at first."""

    answers = False

    def list_tree(self, root: str, below: str = "") -> Listing:
        if self.answers:
            return super().list_tree(root, below)
        return Listing(available=False, problems=[Problem(root, "It is away.")])


def test_a_first_look_that_could_not_see_everything_is_none(place: Place) -> None:
    place.put(FILE, 0, START - 9 * DAY)
    source = Failing()
    catalog = Catalog(
        [place.files],
        repository=REPOSITORY,
        cache=place.folder / "catalog.db",
        clock=lambda: place.now,
        uploads=place.uploads(),
        source=source,
    )
    catalog.refresh()
    source.answers = True
    catalog.refresh()
    assert times(catalog) == {FILE: START - 9 * DAY}
    catalog.close()


def test_without_the_store_a_time_is_unknown_which_is_no_and_is_asked_for_again(
    place: Place, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(upload_time_sync, "_ASK_SECONDS", 0.0)
    place.put(FILE, 0, START - 9 * DAY)
    store, away = place.folder / "store.db", place.folder / "away.db"
    with place.catalog() as catalog:
        store.rename(away)
        place.put(NAMES[1], 0, START - 9 * DAY)
        for _ in range(3):
            catalog.refresh()
        assert set(catalog.snapshot.files) == set(NAMES)
        assert times(catalog) == {FILE: START - 9 * DAY}
        assert visible(catalog, START + 99 * DAY) == {FILE}
        warnings = [one for one in caplog.records if one.levelno == logging.WARNING]
        assert len([one for one in warnings if "upload times" in one.message]) == 1
        away.rename(store)
        catalog.examine(())
        assert times(catalog) == {FILE: START - 9 * DAY, NAMES[1]: START}
        assert visible(catalog, START) == set(NAMES)


def test_a_store_that_cannot_be_asked_for_changes_leaves_what_is_known(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload_time_sync, "_ASK_SECONDS", 0.0)
    place.put(FILE, 0, START - 9 * DAY)
    with place.catalog() as catalog:
        shown = catalog.snapshot

        def fail(*_: object) -> None:
            raise StoreError("It is away.")

        monkeypatch.setattr(UploadRegister, "revision", fail)
        catalog.examine(())
        assert catalog.snapshot is shown


def test_a_time_that_is_set_is_seen_by_a_catalog_that_is_open(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload_time_sync, "_ASK_SECONDS", 0.0)
    for name in NAMES:
        place.put(name, 0, START - 9 * DAY)
    database = Database(place.url)
    service = UploadService(Operations(database=database, clock=lambda: place.now))
    with place.catalog() as catalog, place.catalog(OTHER) as other:
        service.set(REPOSITORY, FILE, START - DAY, actor=person())
        before = catalog.snapshot
        for one in (catalog, other):
            one.examine(())
        assert times(catalog) == {FILE: START - DAY, NAMES[1]: START - 9 * DAY}
        assert times(other) == dict.fromkeys(NAMES, START - 9 * DAY)
        unchanged = catalog.snapshot.files[NAMES[1]].facts.name
        assert catalog.snapshot.projects[unchanged] is before.projects[unchanged]

        (place.files / FILE).unlink()
        catalog.refresh()
        service.set(REPOSITORY, FILE, START - 2 * DAY, actor=person())
        catalog.refresh()
        place.put(FILE, 0, place.now)
        catalog.refresh()
        assert times(catalog)[FILE] == START - 2 * DAY
    database.close()


def test_a_repository_that_is_not_there_has_no_times(place: Place) -> None:
    place.put(FILE, 0, START - 9 * DAY)
    assert place.times("acme/none") == {}


STEPS = st.one_of(
    st.tuples(st.just("put"), st.sampled_from(NAMES), st.integers(0, 2), st.integers(-300, 300)),
    st.tuples(st.just("touch"), st.sampled_from(NAMES), st.just(0), st.integers(-300, 300)),
    st.tuples(st.just("remove"), st.sampled_from(NAMES), st.just(0), st.just(0)),
    st.tuples(
        st.sampled_from(["look", "restart", "drop cache", "wait"]),
        st.just(FILE),
        st.just(0),
        st.just(0),
    ),
)


@settings(max_examples=60, deadline=None)
@given(steps=st.lists(STEPS, max_size=25))
def test_whatever_is_done_to_the_files(
    steps: list[tuple[str, str, int, int]], sqlite_template: Path
) -> None:
    """Copies, old and new file times, removals, restores, restarts, a cache that is thrown away."""
    with TemporaryDirectory() as folder, opened(Path(folder), sqlite_template) as place:
        present: dict[str, tuple[int, datetime]] = {}
        first: dict[tuple[str, int], datetime] = {}
        adopted = False
        for step, name, content, days in [*steps, ("restart", FILE, 0, 0)]:
            modified = START + days * DAY + timedelta(hours=1)
            if step == "put":
                place.put(name, content, modified)
                present[name] = content, modified
            elif step == "touch" and name in present:
                touch(place.files / name, modified)
                present[name] = present[name][0], modified
            elif step == "remove" and name in present:
                (place.files / name).unlink()
                del present[name]
            elif step == "drop cache":
                place.drop_cache()
            elif step == "wait":
                place.now += DAY
            elif step in {"look", "restart"}:
                for one, (what, at) in present.items():
                    first.setdefault((one, what), place.now if adopted else min(at, place.now))
                adopted = True
                expected = {one: first[one, what] for one, (what, _) in present.items()}
                assert place.times(records=False) == expected
                with place.catalog() as catalog:
                    assert times(catalog) == expected
                    for until in {START, place.now, *expected.values()}:
                        seen = {one for one, at in expected.items() if at <= until}
                        assert visible(catalog, until) == seen
