"""The gate: whatever fails in it refuses."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from packaging.utils import NormalizedName, canonicalize_name

from entitlements_core import hookimpl
from entitlements_core.errors import CredentialInvalid, InvalidValue, StoreError
from entitlements_core.http import AuthScheme, ByteRange, Presented
from entitlements_core.plugins import UNAVAILABLE, VETOED, Plugins
from entitlements_core.policy.credential import Credential, CredentialKind, Grant, State
from entitlements_core.policy.decide import NOT_FOUND, UNKNOWN, Question, RequestContext
from entitlements_core.policy.decision import Allow, Decision, Deny, Reason
from entitlements_core.policy.events import Download
from entitlements_core.policy.facts import FileFacts
from entitlements_core.policy.limits import Limits, Usage
from entitlements_core.policy.metering import Account, Schedule
from entitlements_core.policy.network import parse_address
from entitlements_core.policy.package_tags import VendorTags
from entitlements_core.policy.query import PackageQuery
from entitlements_core.policy.resource import CoreMetadata, DistributionFile, ProjectPage
from entitlements_core.policy.secret import from_random_bytes
from entitlements_core.policy.visibility import Visibility
from entitlements_core.services.gate import (
    UNAUTHORIZED,
    UNEXPANDED,
    Caller,
    Gate,
    Reservation,
)
from entitlements_core.services.guess_limit import TOO_MANY_GUESSES
from entitlements_core.services.keyring import Keyring
from entitlements_core.services.throttle import Throttle
from entitlements_core.store.ledger import Book, Entry, Ledger, Receipt
from tests.factories import NOW, REPOSITORY, credential, question
from tests.policy.query.facts import wheel

KEYRING = Keyring(b"k" * 32)
SECRET = "customer-42.secret"
CONTEXT = RequestContext(repository=REPOSITORY, address=parse_address("2001:db8::9"))


@dataclass
class MemoryReader:
    """Knows the credentials it is given; or cannot be read."""

    known: dict[tuple[bytes, str], Credential] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    tags: VendorTags = field(default_factory=VendorTags)
    names: set[tuple[str, str]] = field(default_factory=set)
    failure: Exception | None = None
    asked: int = 0

    def find(self, digest: bytes, repository: str, now: datetime) -> Credential | None:
        self.asked += 1
        if self.failure is not None:
            raise self.failure
        return self.known.get((digest, repository))

    def repositories(self, digest: bytes, now: datetime) -> tuple[str, ...]:
        self.asked += 1
        if self.failure is not None:
            raise self.failure
        return tuple(sorted(name for known, name in self.known if known == digest))

    def downloads(self, repository: str) -> Mapping[str, int]:
        if self.failure is not None:
            raise self.failure
        return self.counts

    def package_tags(self, repository: str) -> VendorTags:
        if self.failure is not None:
            raise self.failure
        return self.tags

    def is_own(self, name: NormalizedName, repository: str) -> bool:
        if self.failure is not None:
            raise self.failure
        return (name, repository) in self.names


@dataclass
class MemoryDriver:
    """Keeps the book in memory; or fails."""

    book: Book = field(default_factory=Book)
    failure: Exception | None = None
    cancelled: list[Receipt] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    closed: bool = False

    def commit(
        self,
        entries: Any,  # noqa: ANN401 - a sequence of entries
        *,
        waits: bool = False,
    ) -> list[Receipt | Deny | StoreError]:
        if self.failure is not None:
            raise self.failure
        self.entries += entries
        return [self.book.post(entry) for entry in entries]

    def cancel(self, receipt: Receipt) -> None:
        if self.failure is not None:
            raise self.failure
        self.cancelled.append(receipt)

    def close(self) -> None:
        self.closed = True


class Watcher:
    """An observer that remembers."""

    def __init__(self) -> None:
        self.decisions: list[Decision] = []
        self.downloads: list[Download] = []

    @hookimpl
    def entitlements_decided(self, decision: Decision) -> None:
        self.decisions.append(decision)

    @hookimpl
    def entitlements_downloaded(self, download: Download) -> None:
        self.downloads.append(download)


class Broken:
    """An observer that always raises."""

    @hookimpl
    def entitlements_decided(self) -> None:
        raise ZeroDivisionError

    @hookimpl
    def entitlements_downloaded(self) -> None:
        raise ZeroDivisionError


class Source:
    """A source of foreign credentials."""

    def __init__(self, outcome: Credential | Exception | None) -> None:
        self.outcome = outcome

    @hookimpl
    def entitlements_find_credential(self) -> Credential | None:
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


class Users:
    """A host that lets ann read."""

    @hookimpl
    def entitlements_user_may_read(self, user: str, repository: str) -> bool | None:
        return (user, repository) == ("ann", REPOSITORY)


class Editions:
    """Adds a field to files."""

    def __init__(self, edition: str | None) -> None:
        self.edition = edition

    @hookimpl
    def entitlements_file_facts(self, facts: FileFacts) -> Mapping[str, str]:
        if self.edition is None:
            raise ZeroDivisionError
        return {"edition": self.edition}


class Watched(Throttle):
    """Tells whose secrets were unknown."""

    def __init__(self, misses: list[str]) -> None:
        super().__init__(guesses_per_minute=2)
        self._misses = misses

    def missed(self, client: str, digest: bytes | None = None, *, tells: bool = True) -> None:
        if tells:
            self._misses.append(client)
        super().missed(client, digest, tells=tells)


@dataclass
class Setup:
    """A gate and everything behind it."""

    gate: Gate
    reader: MemoryReader
    driver: MemoryDriver
    misses: list[str]


def setup(*plugins: object, whose: Credential | None = None, **settings: Any) -> Setup:  # noqa: ANN401 - of the gate
    reader, driver = MemoryReader(), MemoryDriver()
    misses: list[str] = []
    if whose is not None:
        reader.known[KEYRING.digest(SECRET), REPOSITORY] = whose
        driver.book.accounts[whose.id] = Account(
            limits=whose.limits, schedule=Schedule(anchor=NOW), usage=Usage(since=NOW)
        )
        driver.book.repositories[REPOSITORY] = 1
    throttle = Watched(misses)
    gate = Gate(
        reader=reader,
        ledger=Ledger(driver),
        sealer=KEYRING,
        plugins=Plugins(plugins, discover=False),
        throttle=throttle,
        **settings,
    )
    return Setup(gate, reader, driver, misses)


def presented(secret: str = SECRET) -> Presented:
    return Presented(secret, AuthScheme.BASIC)


# Authenticate.


def test_a_known_secret_is_its_credential() -> None:
    known = credential()
    found = setup(whose=known)
    assert found.gate.authenticate(presented(), CONTEXT, NOW) is known
    assert found.misses == []


def test_without_a_secret_one_is_asked_for() -> None:
    found = setup(whose=credential())
    assert found.gate.authenticate(None, CONTEXT, NOW) is UNAUTHORIZED
    assert UNAUTHORIZED.reason is Reason.UNAUTHORIZED
    assert found.reader.asked == 0
    assert found.misses == []


def test_a_variable_that_was_not_expanded_is_told_apart() -> None:
    found = setup(whose=credential())
    assert found.gate.authenticate(presented("${TOKEN}"), CONTEXT, NOW) is UNEXPANDED
    assert UNEXPANDED.reason is Reason.UNKNOWN_TOKEN
    assert "${TOKEN}" not in str(UNEXPANDED)


@pytest.mark.parametrize(
    ("secret", "repository", "looked_up"),
    [
        ("another-secret", REPOSITORY, True),
        (SECRET, "acme/beta", True),
        ("short", REPOSITORY, False),
        ("x" * 49, REPOSITORY, False),
        ("with space", REPOSITORY, False),
        ("ent_jlCTQj2uNU3MFagCXG9LRKRcwGkBIDlf1PhCqx", REPOSITORY, False),
    ],
)
def test_an_unknown_secret_is_refused_and_noted(
    secret: str,
    repository: str,
    looked_up: bool,  # noqa: FBT001 - a column
) -> None:
    found = setup(whose=credential())
    context = replace(CONTEXT, repository=repository)
    assert found.gate.authenticate(presented(secret), context, NOW) is UNKNOWN
    assert found.misses == ["2001:db8::/64"]
    assert found.reader.asked == looked_up


def test_guesses_are_not_looked_up_and_whoever_knows_a_secret_is_let_through() -> None:
    known = credential()
    found = setup(whose=known)
    ask = found.gate.authenticate
    assert ask(presented(), CONTEXT, NOW) is known
    for number in range(5):
        ask(presented(f"guess-number-{number}"), CONTEXT, NOW)
    assert found.reader.asked == 3
    assert ask(presented("guess-number-9"), CONTEXT, NOW) is TOO_MANY_GUESSES
    where = found.gate.repositories
    assert where(presented("guess-9-too"), CONTEXT.address, NOW) is TOO_MANY_GUESSES
    assert where(presented("guess-9-too"), CONTEXT.address, NOW, only_tokens=False) is UNKNOWN
    assert ask(presented(), CONTEXT, NOW) is known
    # What was generated cannot be guessed, and is looked up whoever sends it.
    generated = from_random_bytes(bytes(32))
    found.reader.known[KEYRING.digest(generated), REPOSITORY] = known
    assert ask(presented(generated), CONTEXT, NOW) is known
    other = replace(CONTEXT, address=parse_address("203.0.113.9"))
    assert ask(presented("guess-number-9"), other, NOW) is UNKNOWN


def test_who_asks_elsewhere_next_is_not_taken_for_a_guesser() -> None:
    found = setup()
    for number in range(9):
        asked = presented(f"guess-number-{number}")
        assert found.gate.authenticate(asked, CONTEXT, NOW, settles=False) is UNKNOWN
    assert found.reader.asked == 9
    assert found.misses == []


def test_a_miss_is_noted_for_the_client_as_it_is_counted() -> None:
    found = setup(ipv6_prefix=48)
    found.gate.authenticate(presented(), CONTEXT, NOW)
    assert found.misses == ["2001:db8::/48"]


@pytest.mark.parametrize(
    "failure", [StoreError("The disk is gone."), InvalidValue("query", "It cannot be read.")]
)
def test_a_store_that_cannot_be_read_is_unavailable(
    failure: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    found = setup(whose=credential())
    found.reader.failure = failure
    assert found.gate.authenticate(presented(), CONTEXT, NOW) is UNAVAILABLE
    assert found.misses == []
    assert str(failure) in caplog.text
    assert SECRET not in caplog.text


@pytest.mark.parametrize(
    ("outcome", "expected", "misses"),
    [
        (credential(id=0, identifier="foreign"), credential(id=0, identifier="foreign"), 0),
        (None, UNKNOWN, 1),
        (CredentialInvalid("The key is revoked."), UNKNOWN, 1),
        (ZeroDivisionError(), UNAVAILABLE, 0),
        (StoreError("Their store is down."), UNAVAILABLE, 0),
    ],
)
@pytest.mark.parametrize("secret", [SECRET, "user:pw with space"])
def test_a_source_has_three_outcomes(
    secret: str,
    outcome: Credential | Exception | None,
    expected: Credential | Deny,
    misses: int,
) -> None:
    found = setup(Source(outcome))
    assert found.gate.authenticate(presented(secret), CONTEXT, NOW) == expected
    assert len(found.misses) == misses


def test_a_source_is_not_asked_for_what_the_store_knows() -> None:
    found = setup(Source(ZeroDivisionError()), whose=credential())
    assert found.gate.authenticate(presented(), CONTEXT, NOW) == credential()


@pytest.mark.parametrize(("user", "reads"), [("ann", True), ("bob", False)])
def test_a_user_token_lives_with_its_user(user: str, reads: bool) -> None:  # noqa: FBT001 - the answer
    whose = credential(kind=CredentialKind.USER, user=user, user_has_access=not reads)
    found = setup(Users(), whose=whose).gate.authenticate(presented(), CONTEXT, NOW)
    assert isinstance(found, Credential)
    assert found.user_has_access is reads


def test_without_a_host_a_user_token_opens_nothing() -> None:
    whose = credential(kind=CredentialKind.USER, user="ann", user_has_access=True)
    found = setup(whose=whose)
    known = found.gate.authenticate(presented(), CONTEXT, NOW)
    assert isinstance(known, Credential)
    denied = found.gate.decide(question(known))
    assert isinstance(denied, Deny)
    assert denied.reason is Reason.USER_WITHOUT_ACCESS


# Which repositories a secret opens.


def test_what_may_be_the_password_of_a_user_is_not_told() -> None:
    found = setup()
    assert found.gate.repositories(presented(), CONTEXT.address, NOW, only_tokens=False) is UNKNOWN
    assert found.misses == []
    assert found.gate.repositories(presented(), CONTEXT.address, NOW) is UNKNOWN
    assert len(found.misses) == 1


def test_a_known_secret_says_what_it_opens() -> None:
    found = setup(whose=credential())
    found.reader.known[KEYRING.digest(SECRET), "acme/beta"] = credential()
    opened = found.gate.repositories(presented(), CONTEXT.address, NOW)
    assert opened == ("acme/beta", REPOSITORY)
    assert found.misses == []


@pytest.mark.parametrize(
    ("given", "expected"), [(None, UNAUTHORIZED), (presented("${TOKEN}"), UNEXPANDED)]
)
def test_no_secret_opens_no_repository(given: Presented | None, expected: Deny) -> None:
    found = setup(whose=credential())
    assert found.gate.repositories(given, None, NOW) is expected
    assert found.reader.asked == 0
    assert found.misses == []


@pytest.mark.parametrize(("secret", "looked_up"), [("another-secret", True), ("short", False)])
def test_an_unknown_secret_opens_no_repository_and_is_noted(
    secret: str,
    looked_up: bool,  # noqa: FBT001 - a column
) -> None:
    found = setup(Source(credential(id=0)), whose=credential())
    assert found.gate.repositories(presented(secret), CONTEXT.address, NOW) is UNKNOWN
    assert found.misses == ["2001:db8::/64"]
    assert found.reader.asked == looked_up


def test_what_a_secret_opens_is_unavailable_with_the_store(
    caplog: pytest.LogCaptureFixture,
) -> None:
    found = setup(whose=credential())
    found.reader.failure = StoreError("The disk is gone.")
    assert found.gate.repositories(presented(), CONTEXT.address, NOW) is UNAVAILABLE
    assert found.misses == []
    assert "The disk is gone." in caplog.text
    assert SECRET not in caplog.text


# Decide.


class Veto:
    """Refuses all, or raises."""

    def __init__(self, outcome: Deny | None) -> None:
        self.outcome = outcome

    @hookimpl
    def entitlements_veto(self) -> Deny | None:
        if self.outcome is None:
            raise ZeroDivisionError
        return self.outcome


NO = Deny(Reason.VETOED, "Not today")


@pytest.mark.parametrize(("outcome", "expected"), [(NO, NO), (None, VETOED)])
def test_a_veto_refuses_what_the_policy_allows(outcome: Deny | None, expected: Deny) -> None:
    watcher = Watcher()
    found = setup(Veto(outcome), watcher)
    assert found.gate.decide(question()) is expected
    assert watcher.decisions == [expected]


def test_a_veto_is_not_asked_about_what_is_refused() -> None:
    found = setup(Veto(None))
    denied = found.gate.decide(question(credential(state=State.DISABLED)))
    assert isinstance(denied, Deny)
    assert denied.reason is Reason.TOKEN_DISABLED


def test_observers_are_told_of_every_decision() -> None:
    watcher = Watcher()
    found = setup(watcher)
    found.gate.decide(question())
    found.gate.decide(question(credential(grants=())))
    assert watcher.decisions == [Allow(), UNKNOWN]


def test_an_observer_that_raises_changes_nothing() -> None:
    whose = credential()
    found = setup(Broken(), whose=whose)
    assert found.gate.decide(question(whose)) == Allow()
    assert isinstance(found.gate.reserve(question(whose), PART, "pip/26.3"), Reservation)


# Reserve and settle.

PART = ByteRange(0, 2000)


def test_a_download_is_counted_and_told() -> None:
    watcher, whose = Watcher(), credential()
    found = setup(watcher, whose=whose)

    first = found.gate.reserve(question(whose), PART, "pip/26.3")
    second = found.gate.reserve(question(whose), PART, "pip/26.3")

    assert isinstance(first, Reservation)
    assert isinstance(second, Reservation)
    assert found.driver.book.accounts[7].usage == Usage(
        since=NOW, downloads=1, clients=1, bandwidth=4000
    )
    assert watcher.downloads == [
        Download(
            at=NOW,
            token="abcdefghijkl",
            repository=REPOSITORY,
            project="foo",
            version="1.0",
            filename="foo-1.0-py3-none-any.whl",
            client="203.0.113.9",
            user_agent="pip/26.3",
            length=2000,
        )
    ]


def test_the_settings_reach_the_entry() -> None:
    whose = credential()
    found = setup(whose=whose, window=timedelta(0), ipv6_prefix=48)
    asked, agent = question(whose, address="2001:db8::9"), "\0" + "x" * 300

    found.gate.reserve(asked, ByteRange(5, 11), agent)

    [entry] = found.driver.entries
    assert (entry.client, entry.window) == ("2001:db8::/48", timedelta(0))
    assert (entry.start, entry.length, entry.size) == (5, 6, 2000)
    assert entry.user_agent == "x" * 254


def test_a_passed_limit_is_told_to_observers() -> None:
    watcher, whose = Watcher(), credential(limits=Limits(downloads=0))
    found = setup(watcher, whose=whose)
    denied = found.gate.reserve(question(whose), PART, "pip/26.3")
    assert isinstance(denied, Deny)
    assert denied.reason is Reason.DOWNLOAD_LIMIT
    assert watcher.decisions == [denied]
    assert watcher.downloads == []


@pytest.mark.parametrize(
    "asked",
    [
        question(resource=CoreMetadata(wheel())),
        question(resource=ProjectPage(canonicalize_name("foo"))),
        question(credential(id=0)),
    ],
    ids=["metadata", "page", "foreign"],
)
def test_what_is_not_ours_to_count_is_not_counted(asked: Question) -> None:
    found = setup(whose=credential())
    found.driver.failure = StoreError("not asked")
    reserved = found.gate.reserve(asked, PART)
    assert reserved == Reservation(None)
    found.gate.release(reserved)


def test_what_cannot_be_counted_is_not_sent(caplog: pytest.LogCaptureFixture) -> None:
    whose = credential()
    found = setup(whose=whose)
    found.driver.failure = StoreError("The disk is full.")
    assert found.gate.reserve(question(whose), PART, "pip/26.3") is UNAVAILABLE
    assert "could not be counted: The disk is full." in caplog.text


def test_an_answer_that_failed_is_taken_back() -> None:
    whose = credential()
    found = setup(whose=whose)
    reserved = found.gate.reserve(question(whose), PART, "pip/26.3")
    assert isinstance(reserved, Reservation)

    assert found.driver.cancelled == []
    found.gate.release(reserved)
    assert found.driver.cancelled == [reserved.receipt]


def test_what_cannot_be_taken_back_stays_counted(caplog: pytest.LogCaptureFixture) -> None:
    whose = credential()
    found = setup(whose=whose)
    reserved = found.gate.reserve(question(whose), PART, "pip/26.3")
    assert isinstance(reserved, Reservation)
    found.driver.failure = StoreError("The disk is full.")
    found.gate.release(reserved)
    assert "a reservation stays counted: The disk is full." in caplog.text


def test_closing_goes_to_the_ledger() -> None:
    found = setup()
    found.gate.close()
    assert found.driver.closed


# Views and facts.


def shown(found: Visibility | Deny, facts: FileFacts) -> bool:
    assert isinstance(found, Visibility)
    return found.shows(facts)


def caller(whose: Credential, repository: str = REPOSITORY) -> Caller:
    return Caller(whose, RequestContext(repository=repository), NOW)


def foreign(text: str) -> Credential:
    query = PackageQuery.parse(text, extra_fields={"edition"})
    return credential(grants=(Grant(repository=REPOSITORY, restriction=query),))


def test_a_visibility_without_costly_facts_is_the_policys() -> None:
    found = setup().gate.visibility(caller(credential("name:^foo$")))
    assert shown(found, wheel())
    assert not shown(found, wheel("bar"))
    assert isinstance(found, Visibility)
    assert found.key == ("name:^foo$", None)


def test_nothing_is_visible_of_another_repository() -> None:
    found = setup()
    assert found.gate.visibility(caller(credential(), "acme/beta")) is UNKNOWN
    facts = wheel()
    assert found.gate.complete_facts(caller(credential(), "acme/beta"), facts) is facts


@pytest.mark.parametrize(("count", "visible"), [(None, True), (4, True), (5, False)])
def test_downloads_come_from_the_store(count: int | None, visible: bool) -> None:  # noqa: FBT001 - the answer
    found, whose = setup(), credential("downloads:<5")
    if count is not None:
        found.reader.counts = {"foo-1.0-py3-none-any.whl": count}
    assert shown(found.gate.visibility(caller(whose)), wheel(downloads=99)) is visible
    completed = found.gate.complete_facts(caller(whose), wheel(downloads=99))
    assert isinstance(completed, FileFacts)
    assert completed.downloads == (count or 0)


@pytest.mark.parametrize(("edition", "visible"), [("pro", True), ("free", False), (None, False)])
def test_a_plugins_fact_comes_from_the_plugin(edition: str | None, visible: bool) -> None:  # noqa: FBT001 - the answer
    found, whose = setup(Editions(edition)), foreign("edition:^pro$")
    forged = wheel(extra={"edition": "pro"})
    assert shown(found.gate.visibility(caller(whose)), forged) is visible
    completed = found.gate.complete_facts(caller(whose), forged)
    assert isinstance(completed, FileFacts)
    allowed = isinstance(found.gate.decide(question(whose, DistributionFile(completed))), Allow)
    assert allowed is visible


@pytest.mark.parametrize(
    ("query", "visible"),
    [
        ("tag:^stable$", True),
        ("tag:^old$", False),
        ("NOT tag:^stable$", False),
        ("tag:^latest$ tag:^stable$", True),
    ],
)
def test_the_vendors_tags_come_from_the_store(query: str, visible: bool) -> None:  # noqa: FBT001 - the answer
    found, whose = setup(), credential(query)
    found.reader.tags = VendorTags.of_rows([("foo", "1.0", "stable")], state=3)
    seen = found.gate.visibility(caller(whose))
    assert shown(seen, wheel()) is visible
    assert isinstance(seen, Visibility)
    assert seen.key == (query, None, 3)
    completed = found.gate.complete_facts(caller(whose), wheel())
    assert isinstance(completed, FileFacts)
    assert completed.tags == {"latest", "stable"}
    allowed = isinstance(found.gate.decide(question(whose, DistributionFile(completed))), Allow)
    assert allowed is visible
    other = wheel("bar")
    assert found.gate.complete_facts(caller(whose), other) is other


def test_pages_of_a_query_on_tags_and_a_moving_fact_are_not_remembered() -> None:
    found = setup()
    found.reader.tags = VendorTags.of_rows([], state=3)
    for query in ("tag:a downloads:>1", "tag:a uploaded:>'1 day ago'"):
        seen = found.gate.visibility(caller(credential(query)))
        assert isinstance(seen, Visibility)
        assert seen.key is None


def test_an_unknown_fact_opens_nothing_even_negated() -> None:
    found, whose = setup(Editions(None)), foreign("NOT edition:^free$")
    assert not shown(found.gate.visibility(caller(whose)), wheel())


@pytest.mark.parametrize("query", ["downloads:<5", "NOT tag:^internal$", "name:^bar$ tag:x"])
def test_facts_that_cannot_be_read_refuse(query: str, caplog: pytest.LogCaptureFixture) -> None:
    found, whose = setup(), credential(query)
    found.reader.failure = StoreError("The disk is gone.")
    assert found.gate.visibility(caller(whose)) is UNAVAILABLE
    assert found.gate.complete_facts(caller(whose), wheel()) is UNAVAILABLE
    assert "facts of files of acme/stable cannot be read" in caplog.text


def test_facts_that_nobody_asks_for_are_not_read() -> None:
    found = setup()
    found.reader.failure = StoreError("not asked")
    facts = wheel()
    for query in ("name:^foo$", "tag:^latest$"):
        assert found.gate.complete_facts(caller(credential(query)), facts) is facts
    assert shown(found.gate.visibility(caller(credential())), facts)


# Which repository has a name now.


@dataclass
class Marks:
    """A host that tells the marks of its repositories, or fails."""

    marks: dict[str, str | None] = field(default_factory=dict)
    bound: list[tuple[str, str, str]] = field(default_factory=list)

    def of(self, repository: str, user: str) -> str | None:
        if repository not in self.marks:
            raise ZeroDivisionError
        mark = self.marks[repository]
        return f"{mark}-{user}" if user and mark else mark

    def bind(self, identifier: str, repository: str, mark: str) -> str | None:
        self.bound.append((identifier, repository, mark))
        return None if mark == "gone" else mark


@pytest.mark.parametrize(
    ("made_for", "there", "user", "reason"),
    [
        ("1", "1", "", None),
        ("1", "2", "", Reason.UNKNOWN_TOKEN),
        ("1", "", "", Reason.UNKNOWN_TOKEN),
        ("1", None, "", Reason.UNKNOWN_TOKEN),
        ("", "", "", Reason.UNKNOWN_TOKEN),
        ("", "1", "", None),
        ("-", "1", "", Reason.UNKNOWN_TOKEN),
        ("-", "", "", Reason.UNKNOWN_TOKEN),
        (None, "1", "", None),
        (None, "", "", Reason.UNKNOWN_TOKEN),
        (None, "gone", "", Reason.UNKNOWN_TOKEN),
        ("1-ann", "1", "ann", None),
        ("1-ann", "1", "bob", Reason.UNKNOWN_TOKEN),
    ],
)
def test_a_grant_opens_only_what_it_was_made_for(
    made_for: str | None, there: str | None, user: str, reason: Reason | None
) -> None:
    kind = CredentialKind.USER if user else CredentialKind.STANDARD
    grants = (Grant(repository=REPOSITORY, mark=made_for),)
    marks = Marks({REPOSITORY: there})
    found = setup(
        whose=credential(grants=grants, kind=kind, user=user), mark_of=marks.of, bind=marks.bind
    )
    answer = found.gate.authenticate(presented(), CONTEXT, NOW)
    opened = found.gate.repositories(presented(), None, NOW, only_tokens=False)
    if reason is None:
        assert isinstance(answer, Credential)
        assert opened == (REPOSITORY,)
    else:
        assert isinstance(answer, Deny)
        assert answer.reason is reason
        assert isinstance(opened, Deny)
        assert opened.reason is reason
    assert bool(marks.bound) is (not made_for and bool(there))
    assert not found.misses  # it is no guess


def test_a_host_that_cannot_tell_is_unavailable() -> None:
    grants = (Grant(repository=REPOSITORY, mark="1"),)
    found = setup(whose=credential(grants=grants), mark_of=Marks().of)
    for answer in (
        found.gate.authenticate(presented(), CONTEXT, NOW),
        found.gate.repositories(presented(), None, NOW),
    ):
        assert isinstance(answer, Deny)
        assert answer.reason is Reason.VALIDATION_UNAVAILABLE


def test_what_nobody_binds_stays_closed_and_others_judge_their_own() -> None:
    marks = Marks({REPOSITORY: "1"})
    found = setup(whose=credential(grants=(Grant(repository=REPOSITORY),)), mark_of=marks.of)
    assert isinstance(found.gate.authenticate(presented(), CONTEXT, NOW), Deny)
    foreign = replace(credential(grants=(Grant(repository=REPOSITORY),)), id=0)
    found = setup(Source(foreign), mark_of=marks.of)
    assert isinstance(found.gate.authenticate(presented(), CONTEXT, NOW), Credential)


# Whose a name is.


def test_a_name_that_is_the_vendors_is_nowhere_else() -> None:
    found = setup()
    found.reader.names.add(("acme-app", REPOSITORY))
    own, other = canonicalize_name("acme-app"), canonicalize_name("numpy")
    assert found.gate.own_name(own, REPOSITORY) is NOT_FOUND
    assert found.gate.own_name(own, "acme/other") is None
    assert found.gate.own_name(other, REPOSITORY) is None


def test_where_it_cannot_be_told_whose_a_name_is_nobody_is_sent_on() -> None:
    found = setup()
    found.reader.failure = StoreError("The store is away.")
    assert found.gate.own_name(canonicalize_name("numpy"), REPOSITORY) is UNAVAILABLE
