"""The free-form JSON object that a vendor attaches to a token."""

from typing import Final

import pydantic_core

from entitlements_core.errors import InvalidValue
from entitlements_core.policy.secret import shows_secret

__all__ = ["MAX_BYTES", "MAX_DEPTH", "Metadata", "check_metadata"]

Metadata = dict[str, object]

MAX_BYTES: Final = 16 * 1024
MAX_DEPTH: Final = 16


def check_metadata(value: object) -> Metadata:
    """`value`, if it can be kept as a token's metadata.

    Raises:
        InvalidValue: when it is not an object, too large or too deep, or holds a secret or what a
            database cannot keep (NaN, infinities, NUL characters, lone surrogates).
    """
    if not isinstance(value, dict):
        raise _invalid("is not a JSON object")
    _check_depth(value, MAX_DEPTH)
    try:
        size = len(pydantic_core.to_json(value, inf_nan_mode="constants"))
    except (pydantic_core.PydanticSerializationError, UnicodeEncodeError) as error:
        raise _invalid(f"cannot be written as JSON: {error}") from None
    _refuse(size > MAX_BYTES, f"is larger than {MAX_BYTES} bytes")
    return value


def _check_depth(value: object, levels: int) -> None:
    _refuse(levels < 0, f"is nested deeper than {MAX_DEPTH} levels")
    if isinstance(value, dict):
        for key, item in value.items():
            _refuse(not isinstance(key, str), "has a key that is not text")
            _check_depth(key, levels)
            _check_depth(item, levels - 1)
    elif isinstance(value, list):
        for item in value:
            _check_depth(item, levels - 1)
    elif isinstance(value, str):
        _refuse("\x00" in value, "holds a NUL character")
        _refuse(shows_secret(value), "holds a secret")
    elif isinstance(value, float):
        _refuse(value != value or value in {float("inf"), float("-inf")}, "holds NaN or infinity")  # noqa: PLR0124 - NaN differs from itself


def _refuse(condition: bool, problem: str) -> None:  # noqa: FBT001 - reads as a sentence at the call
    if condition:
        raise _invalid(problem)


def _invalid(problem: str) -> InvalidValue:
    return InvalidValue(
        "metadata",
        f"The metadata {problem}.",
        f'Give a JSON object such as {{"plan": "gold"}} of at most {MAX_BYTES} bytes.',
    )
