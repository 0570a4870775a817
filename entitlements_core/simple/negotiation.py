"""Which form of a page a client asked for (PEP 691, RFC 9110 section 12.5.1)."""

import re
from collections.abc import Iterator
from enum import StrEnum
from functools import lru_cache

__all__ = ["MediaType", "negotiate"]

_QUALITY = re.compile(r"(?:0?\.\d+|[01](?:\.\d*)?)")


class MediaType(StrEnum):
    """The forms a page can take. On a tie the one named first wins."""

    JSON = "application/vnd.pypi.simple.v1+json"
    HTML = "application/vnd.pypi.simple.v1+html"
    TEXT_HTML = "text/html"
    """The same bytes as `HTML` under the name that browsers and older clients know."""

    @property
    def is_json(self) -> bool:
        """Whether the page is JSON; it is HTML otherwise."""
        return self is MediaType.JSON

    @property
    def content_type(self) -> str:
        """The value of the ``Content-Type`` header."""
        return "text/html; charset=utf-8" if self is MediaType.TEXT_HTML else self.value


_ALIASES = {
    **{form.value: form for form in MediaType},
    "application/vnd.pypi.simple.latest+json": MediaType.JSON,
    "application/vnd.pypi.simple.latest+html": MediaType.HTML,
}
_RANGES = {
    "application/*": (MediaType.JSON, MediaType.HTML),
    "text/*": (MediaType.TEXT_HTML,),
    # Who takes anything gets what a browser can show.
    "*/*": (MediaType.TEXT_HTML, MediaType.JSON, MediaType.HTML),
}
_SPECIFICITY = {"application/*": 1, "text/*": 1, "*/*": 0}
_EXACT = 2


@lru_cache(maxsize=256)
def negotiate(accept: str | None, format_parameter: str | None = None) -> MediaType | None:
    """The form to answer with, or None where the client takes none of them (406).

    Args:
        accept: the ``Accept`` header; without one the answer is HTML (PEP 691).
        format_parameter: the value of the ``format`` query parameter, which beats the header
            (PEP 691).
    """
    if format_parameter:
        return _ALIASES.get(format_parameter.strip().lower())
    if accept is None or not accept.strip():
        return MediaType.TEXT_HTML
    return _best(accept)


def _best(accept: str) -> MediaType | None:
    ranked: dict[MediaType, tuple[int, float, int]] = {}
    for media_range, quality in _ranges(accept):
        specificity = _SPECIFICITY.get(media_range, _EXACT)
        for rank, form in enumerate(_forms(media_range)):
            # A closer range overrules a wider one; of two equally close the kinder one counts.
            candidate = (specificity, quality, -rank)
            ranked[form] = max(candidate, ranked.get(form, candidate))
    wanted = [form for form in MediaType if form in ranked and ranked[form][1] > 0]
    return max(wanted, key=lambda form: _preference(ranked[form]), default=None)


def _preference(rank: tuple[int, float, int]) -> tuple[float, int, int]:
    specificity, quality, order = rank
    return quality, specificity, order


def _forms(media_range: str) -> tuple[MediaType, ...]:
    exact = _ALIASES.get(media_range)
    return _RANGES.get(media_range, ()) if exact is None else (exact,)


def _ranges(accept: str) -> Iterator[tuple[str, float]]:
    """The media ranges with their quality; one that cannot be read is left out."""
    for item in accept.lower().split(","):
        media_range, *parameters = (part.strip() for part in item.split(";"))
        quality = _quality(parameters)
        if quality is not None:
            yield media_range, quality


def _quality(parameters: list[str]) -> float | None:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            value = value.strip()
            return min(float(value), 1.0) if _QUALITY.fullmatch(value) else None
    return 1.0
