"""What the doctor looks at in the settings of a server."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from entitlements_core.errors import EntitlementsError
from entitlements_core.forwarded import X_FORWARDED_FOR
from entitlements_core.plugins import Plugins
from entitlements_core.policy.health import Finding
from entitlements_core.services.client_addresses import silent_proxies
from entitlements_core.services.offload_locations import require_locations
from entitlements_core.services.offload_permissions import closed_paths
from entitlements_core.services.patient import Patient, error, ok, warning
from entitlements_core.services.schema import opened_store
from entitlements_core.services.settings import FORMER_REPOSITORY, HOW_TO_CORRECT

__all__ = [
    "check_catalog",
    "check_directories",
    "check_offloading",
    "check_proxies",
    "check_repository",
    "check_variables",
]

CREATES: Final = "ENTITLEMENTS_CREATE_REPOSITORIES"

_SHOWN: Final = 10
_WIDEST_V4: Final = 8
_WIDEST_V6: Final = 16
_YES: Final = frozenset({"1", "true", "yes", "on"})
_NO_SETTINGS: Final = frozenset(
    {
        CREATES,
        "ENTITLEMENTS_DEBUG",
        "ENTITLEMENTS_FILE_URL",
        "ENTITLEMENTS_PROTECT",
        "ENTITLEMENTS_PUBLIC",
        FORMER_REPOSITORY,
        "ENTITLEMENTS_REPOSITORIES",
        "ENTITLEMENTS_UPLOAD_LIMIT",
        "ENTITLEMENTS_URL_PREFIX",
    }
)
"""Variables with our prefix that are read elsewhere: by the command line, and by the adapters."""


def check_proxies(patient: Patient) -> Iterator[Finding]:
    """Only a proxy may say where a request comes from."""
    proxies = patient.settings.proxies
    widest = {4: _WIDEST_V4, 6: _WIDEST_V6}
    wide = [net for net in proxies.networks if net.prefixlen < widest[net.version]]
    for network in wide:
        find = error if network.prefixlen == 0 else warning
        yield find(
            "proxies",
            f"{network} is trusted to say where a request comes from.",
            "Name only your proxies; others could pass as any address.",
        )
    unsaid = bool(proxies) and not proxies.header
    if unsaid:
        yield warning(
            "proxies",
            "It is not said which header the proxies write. X-Forwarded-For is read, but"
            " `entitlements serve` does not start.",
            "Set ENTITLEMENTS_FORWARDED_HEADER to X-Forwarded-For or Forwarded.",
        )
    header = proxies.header or X_FORWARDED_FOR
    silent = [name for name in silent_proxies(patient.settings.home) if proxies]
    for proxy in silent:
        yield warning(
            "proxies",
            f"The proxy {proxy} has sent requests, and never said in {header} for whom.",
            f"Let it set {header}, and let the server in between hand it over (docs: Serving).",
        )
    if not wide and not silent and not unsaid:
        names = ", ".join(patient.settings.trusted_proxies)
        detail = f"Trusted: {names}." if names else f"No proxy is trusted; {header} is not read."
        yield ok("proxies", detail)


def check_directories(patient: Patient) -> Iterator[Finding]:
    """The directories can be read."""
    named = [*map(Path, patient.settings.directories), *patient.directories]
    for directory in named:
        if directory.is_file():
            remedy = "Name the directory that it is in."
            yield error("directories", f"{directory} is a file.", remedy)
        elif not directory.is_dir():
            yield error(
                "directories", f"{directory} is not there.", "Make it, or correct its name."
            )
        elif not os.access(directory, os.R_OK | os.X_OK):
            yield error("directories", f"{directory} may not be read.", "Let the server read it.")
        else:
            yield ok("directories", f"{directory} can be read.")
    if not named and not _host(patient):
        yield ok("directories", "None are set; `doctor DIR --repo OWNER/SLUG` looks at some.")


def check_catalog(patient: Patient) -> Iterator[Finding]:
    """Every file in the directories is served as its owner meant."""
    for path, reason, remedy in patient.problems:
        yield warning("catalog", f"{path}: {reason}", remedy)
    looked = patient.settings.directories or patient.directories
    if not patient.problems and not _host(patient):
        yield ok("catalog", "No file is in the way." if looked else "No file was looked at.")


def check_repository(patient: Patient) -> Iterator[Finding]:
    """The repository that a server is to serve is in the store."""
    name = patient.settings.repository
    if not name:
        yield ok("repository", "The settings name none.")
        return
    with opened_store(patient.settings) as database:
        database.require_current()
        with database.read() as unit:
            known = sorted(unit.repositories.names())
    if name in known:
        yield ok("repository", f"{name} is in the store.")
    elif patient.environment.get(CREATES, "").strip().lower() in _YES:
        yield ok("repository", f"{name} is not in the store yet; the server adds it.")
    else:
        has = ", ".join(known[:_SHOWN]) or "none"
        yield error(
            "repository",
            f"ENTITLEMENTS_REPOSITORY names {name}, which is not in the store. It has {has}.",
            f"Correct the name, or run: entitlements repo add {name}",
        )


def check_offloading(patient: Patient) -> Iterator[Finding]:
    """A server in front, which sends the files, is told of each directory where it is."""
    locations = patient.settings.accel_redirect
    if not locations:
        yield ok("offloading", "The files are sent by the server itself.")
        return
    named = [*map(Path, patient.settings.directories), *patient.directories]
    require_locations(locations, named or None, "ENTITLEMENTS_ACCEL_REDIRECT")
    said = "" if named else " Its directories are not known; `doctor DIR` compares them."
    closed = [one for directory in named for one in closed_paths(directory)]
    for one in closed[:_SHOWN]:
        verb = "enter" if one.is_directory else "read"
        yield warning(
            "offloading",
            f"The user of nginx may not {verb} {one.path} ({one.mode:o}): it answers 403 for a"
            " download that was counted.",
            f"Run: {one.remedy}",
        )
    if closed[_SHOWN:]:
        yield warning("offloading", f"And {len(closed) - _SHOWN} more.", "As above.")
    if closed:
        return
    yield ok("offloading", f"nginx sends the files from {', '.join(locations)}.{said}")


def check_variables(patient: Patient) -> Iterator[Finding]:
    """No variable was left unexpanded, and none is misspelt."""
    settings = patient.settings.model_dump()
    for name, why in patient.unusable.items():
        yield error(
            "settings",
            f"{name} cannot be used: {why}. Everything here was looked at without it.",
            HOW_TO_CORRECT,
        )
    literal = [name for name, value in settings.items() if "${" in str(value)]
    for name in literal:
        yield error(
            "settings",
            f"ENTITLEMENTS_{name.upper()} holds a variable that was not expanded.",
            "Expand it where the environment is set; we do not.",
        )
    known = {f"ENTITLEMENTS_{name.upper()}" for name in settings} | _NO_SETTINGS
    ours = {name for name in patient.environment if name.startswith("ENTITLEMENTS_")}
    for name in sorted(ours - known):
        yield warning("settings", f"{name} is no setting.", "Correct its name, or unset it.")
    if FORMER_REPOSITORY in ours:
        yield warning(
            "settings",
            f"{FORMER_REPOSITORY} has another name now.",
            "Set ENTITLEMENTS_REPOSITORY instead.",
        )
    if not literal and not patient.unusable and ours <= known:
        yield ok("settings", "The settings can be used.")


def _host(patient: Patient) -> str:
    """The host that knows its files by itself, without directories; empty where there is none."""
    try:
        plugins = Plugins()
    except EntitlementsError:
        return ""  # told by the check of the plugins
    plugins.opened(patient.settings.home)
    return plugins.host()
