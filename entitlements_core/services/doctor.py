"""Use case: look over a server's configuration, key, store and clock, and say what to mend."""

import logging
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Final

from entitlements_core.errors import EntitlementsError
from entitlements_core.plugins import Plugins
from entitlements_core.policy.counted import counted
from entitlements_core.policy.health import Finding, Health
from entitlements_core.policy.instants import minute
from entitlements_core.services.clock_repair import ClockRepair
from entitlements_core.services.home import others_may, own_files
from entitlements_core.services.home_access import (
    require_access,
    require_home,
    require_key,
)
from entitlements_core.services.host_binding import HostBinding
from entitlements_core.services.keyring import Keyring
from entitlements_core.services.operations import Operations
from entitlements_core.services.patient import HealthCheck, Patient, error, ok, warning
from entitlements_core.services.reports import Reports
from entitlements_core.services.rollups import Rollups
from entitlements_core.services.schema import opened_store
from entitlements_core.services.settings_checks import (
    check_catalog,
    check_directories,
    check_offloading,
    check_proxies,
    check_repository,
    check_variables,
)

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


def examine(patient: Patient) -> tuple[Finding, ...]:
    """The findings of every check, in order.

    A check that cannot be made is an error among them; of several that have one cause, only the
    first says so.
    """
    found: list[Finding] = []
    causes: set[str] = set()
    for name, check in CHECKS.items():
        try:
            found += [one for one in check(patient) if not _is_told(one, causes)]
        except EntitlementsError as refused:
            if refused.problem not in causes:
                found.append(error(name, refused.problem, refused.remedy))
            causes.add(refused.problem)
        except MemoryError:
            raise
        except Exception as defect:
            log.exception("the check of %s failed", name)
            found.append(error(name, f"The check failed: {defect!r}.", "See the log."))
    return tuple(found)


def _is_told(finding: Finding, causes: Iterable[str]) -> bool:
    """Whether what kept the check from looking was said before."""
    return any(finding.detail.endswith(cause) for cause in causes)


def check_home(patient: Patient) -> Iterator[Finding]:
    """The home is ours alone, and there is room in it."""
    home = patient.settings.home
    require_home(home)
    if not os.access(home, os.W_OK):
        yield error("home", f"{home} may not be written to.", "Give it to the server's user.")
        return
    open_files = [path for path in own_files(home) if path.name != "key" and others_may(path)]
    for path in open_files:
        detail = f"Others may use {path} ({others_may(path):o})."
        yield warning("home", detail, f"Run: chmod 600 {path}")
    if mode := others_may(home):
        remedy = f"Use a directory of its own (ENTITLEMENTS_HOME), or run: chmod 700 {home}"
        yield warning("home", f"Others may enter {home} ({mode:o}).", remedy)
    elif open_files:
        return
    elif shutil.disk_usage(home).free < _LITTLE_SPACE:
        yield warning("home", f"Little space is left for {home}.", "Free some.")
    else:
        yield ok("home", f"{home} is the server's alone.")


def check_key(patient: Patient) -> Iterator[Finding]:
    """The key can be read by the server and by nobody else."""
    path = patient.settings.key_file
    require_key(patient.settings)
    Keyring.load(path)
    if mode := others_may(path):
        yield error("key", f"Others may read {path} ({mode:o}).", f"Run: chmod 600 {path}")
    else:
        yield ok("key", f"{path} is a key that only its owner may read.")


def check_schema(patient: Patient) -> Iterator[Finding]:
    """The store is there, and of this version."""
    with opened_store(patient.settings) as database:
        database.require_current()
        yield ok("schema", f"{database.url} has the schema {database.current()}.")


def check_key_fits(patient: Patient) -> Iterator[Finding]:
    """The store was made with this key."""
    require_key(patient.settings)
    fingerprint = Keyring.load(patient.settings.key_file).fingerprint
    with opened_store(patient.settings) as database:
        database.require_current()
        with database.read() as unit:
            known = unit.key_fingerprint()
    if known in {None, fingerprint}:
        yield ok("key fits", "The key is the one that the store was made with.")
        return
    yield error(
        "key fits",
        "The store was made with another key: no token can be found.",
        "Restore the key file that belongs to this database from your backup.",
    )


def check_integrity(patient: Patient) -> Iterator[Finding]:
    """The tables are as they should be, and undamaged."""
    with opened_store(patient.settings) as database:
        database.require_current()
        damage = database.check()
    for line in damage:
        yield error("database", line, "Restore the database from your backup.")
    if not damage:
        yield ok("database", "The tables are as they should be.")


def check_clock(patient: Patient) -> Iterator[Finding]:
    """The clock does not stand before what already happened."""
    now = patient.clock()
    with opened_store(patient.settings) as database:
        database.require_current()
        entries = Reports(database=database).audit(page_size=1).items
    moments = {"the last change of the store": entries[0].at} if entries else {}
    if patient.newest is not None:
        moments["the newest file"] = patient.newest
    ahead = {what: at for what, at in moments.items() if at > now + _TOLERANCE}
    for what, at in ahead.items():
        yield warning(
            "clock",
            f"By the clock, it is {minute(now)}; {what} is of {minute(at)}.",
            "Set the clock; tokens begin and end by it.",
        )
    if not ahead:
        yield ok("clock", f"It is {now:%Y-%m-%d %H:%M:%S} UTC.")


def check_moments(patient: Patient) -> Iterator[Finding]:
    """Nothing that counting compares with the time lies in the future."""
    with opened_store(patient.settings) as database:
        database.require_current()
        found = ClockRepair(Operations(database=database, clock=patient.clock)).preview()
    if found.resets:
        some = _some([reset.token for reset in found.resets])
        yield warning("moments", f"The counters of {some} were reset in the future.", _MEND)
    for name, count in found.moments.items():
        of = f"of {name} in the store"
        some = counted(count, f"{of} lies", f"{of} lie")
        yield warning("moments", f"{some} in the future.", _MEND)
    if found.downloads:
        yield warning(
            "moments",
            f"{counted(found.downloads, 'download was', 'downloads were')} counted in the future.",
            "They stay in reports under that date, and open nothing; a clock was wrong.",
        )
    if not found.is_mendable and not found.downloads:
        yield ok("moments", "What was counted was counted by now.")


def check_rollups(patient: Patient) -> Iterator[Finding]:
    """What reports are made of is what was counted."""
    with opened_store(patient.settings) as database:
        database.require_current()
        rollups = Rollups(Operations(database=database, clock=patient.clock))
        found, state = rollups.compare(), rollups.report()
    for line in found[:_SHOWN]:
        yield error("rollups", line, "Run: entitlements db rollups --rebuild")
    if found[_SHOWN:]:
        yield error("rollups", f"And {counted(len(found) - _SHOWN, 'day')} more.", "As above.")
    behind = (patient.clock() - state.closed_until).days
    if state.stale > _BEHIND or (state.days and behind > _BEHIND):
        yield warning(
            "rollups",
            f"{max(state.stale, behind)} days are not summed up; reports take longer.",
            "Run: entitlements db rollups, each day at best.",
        )
    elif not found:
        yield ok("rollups", f"{counted(state.days, 'day is', 'days are')} summed up.")


def check_plugins(patient: Patient) -> Iterator[Finding]:
    """The plugins fit, and what they find themselves: of their hosts, for example."""
    plugins = Plugins()
    names = ", ".join(plugins.active)
    yield ok("plugins", f"Loaded: {names}." if names else "None that has its host here.")
    yield from plugins.checks(patient.settings.home)


def check_grants(patient: Patient) -> Iterator[Finding]:
    """What tokens were made for is still there, and they see all that it inherits from."""
    require_access(patient.settings)
    plugins = Plugins()
    plugins.opened(patient.settings.home)
    binding = HostBinding(plugins)
    with opened_store(patient.settings) as database:
        database.require_current()
        with database.read() as unit:
            tokens = unit.tokens.living()
    orphaned: dict[str, list[str]] = {}
    unseen: dict[tuple[str, str], list[str]] = {}
    for token in tokens:
        for grant in token.grants:
            if binding.is_orphaned(grant, token.user):
                orphaned.setdefault(grant.repository, []).append(token.identifier)
                continue
            for unclear in binding.warnings(grant, token.user):
                unseen.setdefault((grant.repository, unclear), []).append(token.identifier)
    for name, found in sorted(orphaned.items()):
        yield warning(
            "grants",
            f"{_some(found)} were made for another {name} (or its user), and open nothing.",
            f"If that of today is meant, run: entitlements token regrant {found[0]}",
        )
    for (name, unclear), found in sorted(unseen.items()):
        yield warning(
            "grants",
            f"Through {name}: {unclear} That concerns {_some(found)}.",
            f"To record the bases of now, run: entitlements token regrant --repo {name}",
        )
    if not orphaned and not unseen:
        yield ok("grants", "Every token opens what it was made for.")


CHECKS: Final[Mapping[str, HealthCheck]] = {
    "home": check_home,
    "key": check_key,
    "schema": check_schema,
    "key fits": check_key_fits,
    "database": check_integrity,
    "clock": check_clock,
    "moments": check_moments,
    "rollups": check_rollups,
    "proxies": check_proxies,
    "repository": check_repository,
    "directories": check_directories,
    "offloading": check_offloading,
    "catalog": check_catalog,
    "settings": check_variables,
    "grants": check_grants,
    "plugins": check_plugins,
}


def _some(identifiers: Sequence[str]) -> str:
    """A few of many tokens, by name."""
    more = len(identifiers) - _SHOWN
    return ", ".join(identifiers[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
