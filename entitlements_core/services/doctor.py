"""Use case: look over a server's configuration, key, store and clock, and say what to mend."""

import logging
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from entitlements_core.errors import EntitlementsError
from entitlements_core.forwarded import X_FORWARDED_FOR
from entitlements_core.interfaces import Clock
from entitlements_core.plugins import Plugins
from entitlements_core.policy.health import Finding, Health
from entitlements_core.services import clock
from entitlements_core.services.client_addresses import silent_proxies
from entitlements_core.services.clock_repair import ClockRepair
from entitlements_core.services.home import others_may, own_files
from entitlements_core.services.keyring import Keyring
from entitlements_core.services.reports import Reports
from entitlements_core.services.rollups import Rollups
from entitlements_core.services.settings import Settings
from entitlements_core.services.wiring import Core
from entitlements_core.store.address import Address
from entitlements_core.store.database import Database

__all__ = ["Finding", "Health", "Patient", "examine"]

log: Final = logging.getLogger("entitlements.doctor")

_TOLERANCE: Final = timedelta(minutes=5)
_LITTLE_SPACE: Final = 100_000_000
_SHOWN: Final = 10
_BEHIND: Final = 40
"""Days that a report adds up by itself in a second."""
_MEND: Final = (
    "Set the clocks, look with `entitlements doctor --repair --dry-run`, then run it without."
)
_WIDEST_V4: Final = 8
_WIDEST_V6: Final = 16
_NO_HOME: Final = (
    "Check ENTITLEMENTS_HOME. Bring back a home that is lost (docs: Backup and restore);"
    " `entitlements init` makes a new one."
)
_NO_SETTINGS: Final = frozenset(
    {
        "ENTITLEMENTS_CREATE_REPOSITORIES",
        "ENTITLEMENTS_DEBUG",
        "ENTITLEMENTS_FILE_URL",
        "ENTITLEMENTS_PROTECT",
        "ENTITLEMENTS_PUBLIC",
        "ENTITLEMENTS_REPO",
        "ENTITLEMENTS_REPOSITORIES",
        "ENTITLEMENTS_UPLOAD_LIMIT",
        "ENTITLEMENTS_URL_PREFIX",
    }
)
"""Variables with our prefix that are read elsewhere: by the command line, and by the adapters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patient:
    """What is looked over.

    Attributes:
        settings: of the server.
        directories: of distributions, beside those of the settings.
        problems: of the catalog, as path, reason and remedy.
        newest: when the newest file in the directories was changed; None where nobody looked.
        environment: the variables of the process.
        clock: tells the time.
    """

    settings: Settings
    directories: tuple[Path, ...] = ()
    problems: tuple[tuple[str, str, str], ...] = ()
    newest: datetime | None = None
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)
    clock: Clock = clock.now


Check = Callable[[Patient], Iterable[Finding]]


def examine(patient: Patient) -> tuple[Finding, ...]:
    """Every check, in order. One that cannot be made is an error; of one cause, it is said once."""
    found: list[Finding] = []
    causes: set[str] = set()
    for name, check in CHECKS.items():
        try:
            found += check(patient)
        except EntitlementsError as error:
            if error.problem not in causes:
                found.append(_error(name, error.problem, error.remedy))
            causes.add(error.problem)
        except MemoryError:
            raise
        except Exception as error:
            log.exception("the check of %s failed", name)
            found.append(_error(name, f"The check failed: {error!r}.", "See the log."))
    return tuple(found)


def check_home(patient: Patient) -> Iterator[Finding]:
    """The home is ours alone, and there is room in it."""
    home = patient.settings.home
    if not home.is_dir():
        yield _error("home", f"{home} is not there.", _NO_HOME)
        return
    if not os.access(home, os.R_OK | os.W_OK | os.X_OK):
        yield _error("home", f"{home} may not be written to.", "Give it to the server's user.")
        return
    open_files = [path for path in own_files(home) if path.name != "key" and others_may(path)]
    for path in open_files:
        detail = f"Others may use {path} ({others_may(path):o})."
        yield _warning("home", detail, f"Run: chmod 600 {path}")
    if mode := others_may(home):
        remedy = f"Use a directory of its own (ENTITLEMENTS_HOME), or run: chmod 700 {home}"
        yield _warning("home", f"Others may enter {home} ({mode:o}).", remedy)
    elif open_files:
        return
    elif shutil.disk_usage(home).free < _LITTLE_SPACE:
        yield _warning("home", f"Little space is left for {home}.", "Free some.")
    else:
        yield _ok("home", f"{home} is the server's alone.")


def check_key(patient: Patient) -> Iterator[Finding]:
    """The key can be read by the server and by nobody else."""
    path = patient.settings.key_file
    Keyring.load(path)
    if mode := others_may(path):
        yield _error("key", f"Others may read {path} ({mode:o}).", f"Run: chmod 600 {path}")
    else:
        yield _ok("key", f"{path} is a key that only its owner may read.")


def check_schema(patient: Patient) -> Iterator[Finding]:
    """The store is there, and of this version."""
    with _store(patient) as database:
        database.require_current()
        yield _ok("schema", f"{database.address} has the schema {database.current()}.")


def check_key_fits(patient: Patient) -> Iterator[Finding]:
    """The store was made with this key."""
    fingerprint = Keyring.load(patient.settings.key_file).fingerprint
    with _store(patient) as database:
        database.require_current()
        with database.read() as unit:
            known = unit.key_fingerprint()
    if known in {None, fingerprint}:
        yield _ok("key fits", "The key is the one that the store was made with.")
        return
    yield _error(
        "key fits",
        "The store was made with another key: no token can be found.",
        "Restore the key file that belongs to this database from your backup.",
    )


def check_integrity(patient: Patient) -> Iterator[Finding]:
    """The tables are as they should be, and undamaged."""
    with _store(patient) as database:
        database.require_current()
        damage = database.check()
    for line in damage:
        yield _error("database", line, "Restore the database from your backup.")
    if not damage:
        yield _ok("database", "The tables are as they should be.")


def check_clock(patient: Patient) -> Iterator[Finding]:
    """The clock does not stand before what already happened."""
    now = patient.clock()
    with _store(patient) as database:
        database.require_current()
        entries = Reports(database=database).audit(page_size=1).items
    moments = {"the last change of the store": entries[0].at} if entries else {}
    if patient.newest is not None:
        moments["the newest file"] = patient.newest
    ahead = {what: at for what, at in moments.items() if at > now + _TOLERANCE}
    for what, at in ahead.items():
        yield _warning(
            "clock",
            f"By the clock, it is {now:%Y-%m-%d %H:%M} UTC; {what} is of {at:%Y-%m-%d %H:%M}.",
            "Set the clock; tokens begin and end by it.",
        )
    if not ahead:
        yield _ok("clock", f"It is {now:%Y-%m-%d %H:%M:%S} UTC.")


def check_moments(patient: Patient) -> Iterator[Finding]:
    """Nothing that counting compares with the time lies in the future."""
    with _store(patient) as database:
        database.require_current()
        found = ClockRepair(database=database, clock=patient.clock).preview()
    if found.resets:
        some = _some([reset.token for reset in found.resets])
        yield _warning("moments", f"The counters of {some} were reset in the future.", _MEND)
    for name, count in found.moments.items():
        yield _warning("moments", f"{count} of {name} in the store lie in the future.", _MEND)
    if found.downloads:
        yield _warning(
            "moments",
            f"{found.downloads} downloads were counted in the future.",
            "They stay in reports under that date, and open nothing; a clock was wrong.",
        )
    if not found.is_mendable and not found.downloads:
        yield _ok("moments", "What was counted was counted by now.")


def check_rollups(patient: Patient) -> Iterator[Finding]:
    """What reports are made of is what was counted."""
    with _store(patient) as database:
        database.require_current()
        rollups = Rollups(database=database, clock=patient.clock)
        found, state = rollups.compare(), rollups.report()
    for line in found[:_SHOWN]:
        yield _error("rollups", line, "Run: entitlements db rollups --rebuild")
    if found[_SHOWN:]:
        yield _error("rollups", f"And {len(found) - _SHOWN} days more.", "As above.")
    behind = (patient.clock() - state.closed_until).days
    if state.stale > _BEHIND or (state.days and behind > _BEHIND):
        yield _warning(
            "rollups",
            f"{max(state.stale, behind)} days are not summed up; reports take longer.",
            "Run: entitlements db rollups, each day at best.",
        )
    elif not found:
        yield _ok("rollups", f"{state.days} days are summed up.")


def check_proxies(patient: Patient) -> Iterator[Finding]:
    """Only a proxy may say where a request comes from."""
    proxies = patient.settings.proxies
    widest = {4: _WIDEST_V4, 6: _WIDEST_V6}
    wide = [net for net in proxies.networks if net.prefixlen < widest[net.version]]
    for network in wide:
        find = _error if network.prefixlen == 0 else _warning
        yield find(
            "proxies",
            f"{network} is trusted to say where a request comes from.",
            "Name only your proxies; others could pass as any address.",
        )
    unsaid = bool(proxies) and not proxies.header
    if unsaid:
        yield _warning(
            "proxies",
            "It is not said which header the proxies write. X-Forwarded-For is read, but"
            " `entitlements serve` does not start.",
            "Set ENTITLEMENTS_FORWARDED_HEADER to X-Forwarded-For or Forwarded.",
        )
    header = proxies.header or X_FORWARDED_FOR
    silent = [name for name in silent_proxies(patient.settings.home) if proxies]
    for proxy in silent:
        yield _warning(
            "proxies",
            f"The proxy {proxy} has sent requests, and never said in {header} for whom.",
            f"Let it set {header}, and let the server in between hand it over (docs: Serving).",
        )
    if not wide and not silent and not unsaid:
        names = ", ".join(patient.settings.trusted_proxies)
        detail = f"Trusted: {names}." if names else f"No proxy is trusted; {header} is not read."
        yield _ok("proxies", detail)


def check_directories(patient: Patient) -> Iterator[Finding]:
    """The directories can be read."""
    named = [*map(Path, patient.settings.directories), *patient.directories]
    for directory in named:
        if directory.is_file():
            remedy = "Name the directory that it is in."
            yield _error("directories", f"{directory} is a file.", remedy)
        elif not directory.is_dir():
            yield _error(
                "directories", f"{directory} is not there.", "Make it, or correct its name."
            )
        elif not os.access(directory, os.R_OK | os.X_OK):
            yield _error("directories", f"{directory} may not be read.", "Let the server read it.")
        else:
            yield _ok("directories", f"{directory} can be read.")
    if not named and not _host(patient):
        yield _ok("directories", "None are set; `doctor DIR` looks at some.")


def check_catalog(patient: Patient) -> Iterator[Finding]:
    """Every file in the directories is served as its owner meant."""
    for path, reason, remedy in patient.problems:
        yield _warning("catalog", f"{path}: {reason}", remedy)
    looked = patient.settings.directories or patient.directories
    if not patient.problems and not _host(patient):
        yield _ok("catalog", "No file is in the way." if looked else "No file was looked at.")


def check_variables(patient: Patient) -> Iterator[Finding]:
    """No variable was left unexpanded, and none is misspelt."""
    settings = patient.settings.model_dump()
    literal = [name for name, value in settings.items() if "${" in str(value)]
    for name in literal:
        yield _error(
            "settings",
            f"ENTITLEMENTS_{name.upper()} holds a variable that was not expanded.",
            "Expand it where the environment is set; we do not.",
        )
    known = {f"ENTITLEMENTS_{name.upper()}" for name in settings} | _NO_SETTINGS
    ours = {name for name in patient.environment if name.startswith("ENTITLEMENTS_")}
    for name in sorted(ours - known):
        yield _warning("settings", f"{name} is no setting.", "Correct its name, or unset it.")
    if not literal and ours <= known:
        yield _ok("settings", "The settings can be used.")


def check_plugins(patient: Patient) -> Iterator[Finding]:
    """The plugins fit, and what they find themselves: of their hosts, for example."""
    plugins = Plugins()
    names = ", ".join(plugins.names)
    yield _ok("plugins", f"Loaded: {names}." if names else "None are installed.")
    yield from plugins.checks(patient.settings.home)


def check_grants(patient: Patient) -> Iterator[Finding]:
    """What tokens were made for is still there, and they see all that it inherits from."""
    core = Core(patient.settings)
    binding = core.binding
    with closing(core):
        core.database.require_current()
        with core.database.read() as unit:
            tokens = unit.tokens.living()
    orphaned: dict[str, list[str]] = {}
    unseen: dict[tuple[str, str], list[str]] = {}
    for token in tokens:
        for grant in token.grants:
            if binding.is_orphaned(grant, token.user):
                orphaned.setdefault(grant.repository, []).append(token.identifier)
                continue
            for warning in binding.warnings(grant, token.user):
                unseen.setdefault((grant.repository, warning), []).append(token.identifier)
    for name, found in sorted(orphaned.items()):
        yield _warning(
            "grants",
            f"{_some(found)} were made for another {name} (or its user), and open nothing.",
            f"If that of today is meant, run: entitlements token regrant {found[0]}",
        )
    for (name, warning), found in sorted(unseen.items()):
        yield _warning(
            "grants",
            f"Through {name}: {warning} That concerns {_some(found)}.",
            f"To record the bases of now, run: entitlements token regrant --repo {name}",
        )
    if not orphaned and not unseen:
        yield _ok("grants", "Every token opens what it was made for.")


CHECKS: Final[Mapping[str, Check]] = {
    "home": check_home,
    "key": check_key,
    "schema": check_schema,
    "key fits": check_key_fits,
    "database": check_integrity,
    "clock": check_clock,
    "moments": check_moments,
    "rollups": check_rollups,
    "proxies": check_proxies,
    "directories": check_directories,
    "catalog": check_catalog,
    "settings": check_variables,
    "grants": check_grants,
    "plugins": check_plugins,
}


def _host(patient: Patient) -> str:
    """The host that knows its files by itself, without directories; empty where there is none."""
    try:
        plugins = Plugins()
    except EntitlementsError:
        return ""  # told by the check of the plugins
    plugins.opened(patient.settings.home)
    return plugins.host()


@contextmanager
def _store(patient: Patient) -> Iterator[Database]:
    database = Database(Address.parse(patient.settings.url, timeouts=patient.settings.timeouts))
    try:
        yield database
    finally:
        database.close()


def _some(identifiers: Sequence[str]) -> str:
    """A few of many tokens, by name."""
    more = len(identifiers) - _SHOWN
    return ", ".join(identifiers[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _ok(check: str, detail: str) -> Finding:
    return Finding(check=check, health=Health.OK, detail=detail)


def _warning(check: str, detail: str, remedy: str) -> Finding:
    return Finding(check=check, health=Health.WARNING, detail=detail, remedy=remedy)


def _error(check: str, detail: str, remedy: str) -> Finding:
    return Finding(check=check, health=Health.ERROR, detail=detail, remedy=remedy)
