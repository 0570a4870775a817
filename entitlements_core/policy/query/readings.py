"""What each field reads of a file, and whether that is known.

A fact may be missing because nobody read it, and then no rule may build on it:

* the core metadata counts as read when any of licence, summary and dependencies is there; then an
  empty licence, no dependencies and no Requires-Python are known to be so;
* a checksum or a repository is unknown while empty, a size while 0 (no distribution is empty);
* an upload time is unknown while it is None;
* a plugin's field is unknown where `FileFacts.extra` lacks it.

Everything else is always known: an sdist has no platform tags, and that is a fact.
"""

from collections.abc import Callable, Mapping
from operator import attrgetter

from entitlements_core.policy.facts import FileFacts, FileKind
from entitlements_core.policy.query.logic import Test, always

__all__ = ["FLAGS", "KINDS", "NUMBERS", "SEVERAL_TEXTS", "known_test", "text_reader"]


def _metadata_was_read(facts: FileFacts) -> bool:
    return bool(facts.license or facts.summary or facts.dependencies)


def _requires_python_is_known(facts: FileFacts) -> bool:
    # The simple page states it as well, so it may be there without the metadata.
    return facts.requires_python is not None or _metadata_was_read(facts)


_KNOWN: Mapping[str, Test[FileFacts]] = {
    "checksum": lambda facts: bool(facts.sha256),
    "dependency": _metadata_was_read,
    "license": _metadata_was_read,
    "repository": lambda facts: bool(facts.repository),
    "requires_python": _requires_python_is_known,
    "size": lambda facts: facts.size > 0,
    "uploaded": lambda facts: facts.uploaded_at is not None,
}

_TEXTS: Mapping[str, Callable[[FileFacts], str]] = {
    "name": attrgetter("name"),
    "version": lambda facts: str(facts.version),
    "filename": attrgetter("filename"),
    "checksum": attrgetter("sha256"),
    "license": attrgetter("license"),
    "repository": attrgetter("repository"),
    "requires_python": lambda facts: (facts.requires_python or "").replace(" ", ""),
}

SEVERAL_TEXTS: Mapping[str, Callable[[FileFacts], frozenset[str]]] = {
    "architecture": attrgetter("platform_tags"),
    "python": attrgetter("python_tags"),
    "tag": attrgetter("tags"),
}
"""The text fields that have any number of values; a term is true if one of them matches."""

NUMBERS: Mapping[str, Callable[[FileFacts], int]] = {
    "size": attrgetter("size"),
    "downloads": attrgetter("downloads"),
}
"""The fields that are compared as numbers."""

FLAGS: Mapping[str, Test[FileFacts]] = {
    "prerelease": lambda facts: facts.version.is_prerelease,
    "yanked": lambda facts: facts.yanked is not None,
}
"""The fields that are true or false."""

KINDS: Mapping[str, FileKind | None] = {
    "python": None,
    "wheel": FileKind.WHEEL,
    "sdist": FileKind.SDIST,
}
"""The words of ``format`` and ``type``; None stands for every kind."""


def text_reader(field: str) -> Callable[[FileFacts], str]:
    """What a text field with one value reads; a plugin's field is empty where it is unknown."""
    return _TEXTS.get(field) or (lambda facts: facts.extra.get(field, ""))


def known_test(field: str) -> Test[FileFacts]:
    """Whether the field is known of a file; `always` for most."""
    if field in _KNOWN:
        return _KNOWN[field]
    product = {"", "dependency", "format", "type"}
    if field in product | {*_TEXTS, *SEVERAL_TEXTS, *NUMBERS, *FLAGS}:
        return always
    return lambda facts: field in facts.extra
