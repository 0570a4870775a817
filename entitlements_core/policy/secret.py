"""The grammar of a secret: generated ones carry a checksum, custom ones follow Cloudsmith's rules.

A generated secret is ``ent_``, 32 base62 characters (190 bits) and 6 of checksum, 42 in all. The
fixed prefix lets scanners find leaked ones; the checksum refuses a mistyped one without a look-up.
"""

import re
import zlib
from typing import Final

from entitlements_core.errors import InvalidValue
from entitlements_core.policy.counted import counted

__all__ = [
    "GENERATED_LENGTH",
    "IDENTIFIER_LENGTH",
    "PREFIX",
    "RANDOM_BYTES",
    "RESERVED",
    "SCAN_PATTERN",
    "SHORTEST",
    "check_custom",
    "checksum_holds",
    "from_random_bytes",
    "looks_generated",
    "looks_like_identifier",
    "may_exist",
    "named_address",
    "shows_secret",
    "weakness",
]

PREFIX: Final = "ent_"
BODY_LENGTH: Final = 32
CHECKSUM_LENGTH: Final = 6
IDENTIFIER_LENGTH: Final = 12
"""Letters and digits of a token's public identifier, which is no secret."""
RANDOM_BYTES: Final = 32
"""How many random bytes `from_random_bytes` takes."""

SCAN_PATTERN: Final = r"\bent_[0-9A-Za-z]{38}\b"
"""A regular expression with which a secret scanner finds generated secrets."""

GENERATED_LENGTH: Final = len(PREFIX) + BODY_LENGTH + CHECKSUM_LENGTH

SHORTEST: Final = 8
LONGEST: Final = 48
SHORTEST_STRONG: Final = 16

RESERVED: Final = frozenset(
    {"packages", "metadata", "favicon.ico", "robots.txt", "basic-auth", "download", "downloads"}
)
"""Path words that a custom secret may not be, since it could shadow a route of a host."""

_BASE62: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_VALUES: Final = {char: value for value, char in enumerate(_BASE62)}
_ALPHANUMERIC: Final = frozenset(_BASE62)
_ALLOWED: Final = _ALPHANUMERIC | frozenset("._-")
_WORDS: Final = re.compile(r"\w+", re.ASCII)
_PLAIN_ADDRESS: Final = re.compile(
    r"(?:[a-z]{1,9}://)?[A-Za-z0-9.-]{1,100}(?::[0-9]{1,5})?(?:/[A-Za-z0-9._/-]{0,100})?"
)


def from_random_bytes(data: bytes) -> str:
    """Spell `data` (32 random bytes) as a generated secret, checksum included."""
    body = _base62(int.from_bytes(data), BODY_LENGTH)
    return PREFIX + body + _checksum(body)


def may_exist(text: str) -> bool:
    """Whether a secret spelled like this can have been issued, so that a look-up makes sense."""
    if not SHORTEST <= len(text) <= LONGEST or not _ALLOWED.issuperset(text):
        return False
    return checksum_holds(text) or not looks_generated(text)


def checksum_holds(text: str) -> bool:
    """Whether `text` is a generated secret without a typing error."""
    if not looks_generated(text):
        return False
    stated = 0
    # Read the stated number instead of spelling the right one: this is on every request's way.
    for char in text[-CHECKSUM_LENGTH:]:
        stated = stated * 62 + _VALUES[char]
    return stated == zlib.crc32(text[len(PREFIX) : -CHECKSUM_LENGTH].encode())


def check_custom(text: str) -> str:
    """`text`, if the vendor may choose it as a secret: ``^[A-Za-z0-9][A-Za-z0-9._-]{7,47}$``.

    The rules are Cloudsmith's ("Setting an Entitlement Token"), and no reserved path word. A text
    that looks generated must carry a right checksum, or it could never be found again.

    Raises:
        InvalidValue: naming ``token``; its message never repeats the secret.
    """
    problem = _custom_problem(text)
    if problem:
        raise InvalidValue(
            "token",
            f"This custom secret cannot be used: {problem}.",
            f"Use {SHORTEST} to {LONGEST} letters, digits, dots, dashes or underscores,"
            " beginning with a letter or digit.",
        )
    return text


def weakness(text: str) -> str | None:
    """A warning when a permitted custom secret could be guessed; None when it is long enough."""
    if len(text) < SHORTEST_STRONG:
        return (
            f"The secret has {len(text)} characters and might be guessed;"
            f" use at least {SHORTEST_STRONG}, or let one be generated."
        )
    if len(set(text)) < SHORTEST:
        return "The secret repeats few characters and might be guessed; let one be generated."
    return None


def _custom_problem(text: str) -> str | None:
    checks = (
        (len(text) < SHORTEST, f"it has {counted(len(text), 'character')}, fewer than {SHORTEST}"),
        (len(text) > LONGEST, f"it has {len(text)} characters, more than {LONGEST}"),
        (text[:1] not in _ALPHANUMERIC, "it does not begin with a letter or digit"),
        (
            not _ALLOWED.issuperset(text),
            "it holds a character other than letters, digits, dots, dashes and underscores",
        ),
        (text.casefold() in RESERVED, "it is a reserved path word"),
        (
            looks_generated(text) and not checksum_holds(text),
            "it looks like a generated secret with a typing error",
        ),
    )
    return next((problem for failed, problem in checks if failed), None)


def looks_generated(text: str) -> bool:
    """Whether `text` can only be meant as a generated secret, typing errors included."""
    return (
        len(text) == GENERATED_LENGTH
        and text.startswith(PREFIX)
        and _ALPHANUMERIC.issuperset(text[len(PREFIX) :])
    )


def shows_secret(text: str) -> bool:
    """Whether a generated secret stands anywhere in `text`, which is kept and shown in clear."""
    return PREFIX in text and any(map(looks_generated, _WORDS.findall(text)))


def named_address(text: str) -> str:
    """An address as an error names it: in quotes, but ``This`` if it might hold a secret.

    That is where something stands that no host, port and plain path have: a user, a token in the
    path, a query.
    """
    return repr(text) if _PLAIN_ADDRESS.fullmatch(text) and not shows_secret(text) else "This"


def looks_like_identifier(text: str) -> bool:
    """Whether `text` is spelled as the public identifier of a token."""
    return len(text) == IDENTIFIER_LENGTH and _ALPHANUMERIC.issuperset(text)


def _checksum(body: str) -> str:
    return _base62(zlib.crc32(body.encode()), CHECKSUM_LENGTH)


def _base62(number: int, length: int) -> str:
    digits = []
    for _ in range(length):
        number, digit = divmod(number, len(_BASE62))
        digits.append(_BASE62[digit])
    return "".join(reversed(digits))
