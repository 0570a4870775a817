"""Use case: which of the vendor's names somebody registered in the public index.

Asked only on request. Each name is asked for alone and without any credential; an index that is
slow, wrong or away keeps nobody from an answer for longer than a bound.
"""

import itertools
import queue
import secrets
import socket
import ssl
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from typing import Final
from urllib.error import HTTPError, URLError
from urllib.request import (
    HTTPDefaultErrorHandler,
    HTTPErrorProcessor,
    HTTPHandler,
    HTTPRedirectHandler,
    HTTPSHandler,
    OpenerDirector,
    ProxyHandler,
    Request,
)

from packaging.utils import NormalizedName, canonicalize_name

import entitlements_core
from entitlements_core.interfaces import Progress
from entitlements_core.policy.upstream import Upstream
from entitlements_core.services.certificates import client_context
from entitlements_core.simple.parser import ACCEPTED, read_page

__all__ = ["IN_FLIGHT", "Bounds", "Registered", "registered_names"]

IN_FLIGHT: Final = 8
"""Names that are asked for at a time."""
_ABSENT: Final = frozenset({404, 410})
_OK: Final = 200
_PIECE: Final = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How much of an upstream is borne.

    Attributes:
        seconds: for the answer about one name, from the question to its last byte.
        size: bytes of a page that are read; of a larger one only its being there is known.
        failures: in a row, after which nothing more is asked.
    """

    seconds: float = 20.0
    size: int = 8_000_000
    failures: int = IN_FLIGHT


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """What an upstream says of one name.

    Attributes:
        name: normalised.
        exists: whether there is a page of it; None cannot be told.
        files: how many it has; None where that is not said.
        newest: the highest version, or empty where that is not said.
        why: it cannot be told; else empty.
    """

    name: NormalizedName
    exists: bool | None
    files: int | None = None
    newest: str = ""
    why: str = ""


def registered_names(
    upstream: Upstream,
    names: Iterable[NormalizedName],
    *,
    tell: Progress = lambda _done, _wanted: None,
    bounds: Bounds = Bounds(),
) -> tuple[Registered, ...]:
    """Ask an upstream for each name; gives an answer for each, in alphabetical order.

    An index that has a page for a name that nobody can have registered says nothing of the others.

    Args:
        upstream: the index that is asked.
        names: of the vendor's projects.
        tell: is told how many are done, and how many there are.
        bounds: see the class.
    """
    wanted = sorted(set(names))
    if not wanted:
        return ()
    nobodys = canonicalize_name(f"nobodys-{secrets.token_hex(12)}")
    [probe] = _asked(upstream, [nobodys], bounds)
    if probe.exists:
        why = "it has a page for every name"
        return tuple(Registered(name=name, exists=None, why=why) for name in wanted)
    found: dict[NormalizedName, Registered] = {}
    in_a_row = 0
    for answer in _asked(upstream, wanted, bounds):
        found[answer.name] = answer
        tell(len(found), len(wanted))
        in_a_row = in_a_row + 1 if answer.exists is None else 0
        if in_a_row >= bounds.failures:
            rest = Registered(name=answer.name, exists=None, why=answer.why)
            break
    else:
        return tuple(found[name] for name in wanted)
    return tuple(
        found.get(name) or Registered(name=name, exists=None, why=rest.why) for name in wanted
    )


def _asked(
    upstream: Upstream, names: Iterable[NormalizedName], bounds: Bounds
) -> Iterator[Registered]:
    """The answers as they come, a few questions being on their way.

    Each has a thread, which is let go when its time is over: a server can spin out its headers for
    ever, and no timeout of a socket ends that. So as many may be left behind as failures are borne.
    """
    answers: queue.SimpleQueue[Registered] = queue.SimpleQueue()
    deadlines: dict[NormalizedName, float] = {}
    todo = iter(names)
    while True:
        for name in itertools.islice(todo, IN_FLIGHT - len(deadlines)):
            deadlines[name] = time.monotonic() + bounds.seconds
            threading.Thread(
                target=lambda one: answers.put(_ask(upstream, one, bounds)),
                args=(name,),
                daemon=True,
            ).start()
        if not deadlines:
            return
        try:
            answer = answers.get(timeout=max(0.0, min(deadlines.values()) - time.monotonic()))
        except queue.Empty:
            late = min(deadlines, key=lambda name: deadlines[name])
            answer = Registered(name=late, exists=None, why=_too_late(bounds))
        if deadlines.pop(answer.name, None) is not None:
            yield answer


def _ask(upstream: Upstream, name: NormalizedName, bounds: Bounds) -> Registered:
    """What the upstream says of a name; whatever goes wrong is an answer, too."""
    headers = {
        "Accept": ACCEPTED,
        "Accept-Encoding": "identity",
        "User-Agent": f"index-entitlements/{entitlements_core.__version__}",
    }
    request = Request(upstream.page(name), headers=headers)  # noqa: S310 - http or https alone
    until = time.monotonic() + bounds.seconds
    try:
        with _opener().open(request, timeout=bounds.seconds) as answer:
            return _read(answer, name, bounds, until)
    except HTTPError as error:
        error.close()
        if error.code in _ABSENT:
            return Registered(name=name, exists=False)
        return Registered(name=name, exists=None, why=f"it answers {error.code}")
    except Exception as error:  # noqa: BLE001 - whatever a foreign server makes of it
        return Registered(name=name, exists=None, why=_why(error, bounds))


def _read(answer: HTTPResponse, name: NormalizedName, bounds: Bounds, until: float) -> Registered:
    """What a page says, as far as it comes in time."""
    if answer.status != _OK:
        return Registered(name=name, exists=None, why=f"it answers {answer.status}")
    body = bytearray()
    while piece := answer.read1(_PIECE):
        body += piece
        if len(body) > bounds.size:
            return Registered(name=name, exists=True)
        if time.monotonic() > until:
            return Registered(name=name, exists=None, why=_too_late(bounds))
    page = read_page(answer.headers.get("Content-Type", ""), bytes(body), name)
    if page is None:
        return Registered(name=name, exists=None, why="it answers with something else than a page")
    return Registered(name=name, exists=True, files=page.files, newest=page.newest)


def _opener() -> OpenerDirector:
    """Asks http and https alone, follows redirects, and has neither cookies nor passwords."""
    opener = OpenerDirector()
    for handler in (
        ProxyHandler(),
        HTTPHandler(),
        HTTPSHandler(context=client_context()),
        HTTPRedirectHandler(),
        HTTPErrorProcessor(),
        HTTPDefaultErrorHandler(),
    ):
        opener.add_handler(handler)
    return opener


def _why(error: Exception, bounds: Bounds) -> str:
    cause = error.reason if isinstance(error, URLError) else error
    if isinstance(cause, TimeoutError):
        return _too_late(bounds)
    if isinstance(cause, ssl.SSLError):
        return "its certificate or its TLS is not good"
    if isinstance(cause, socket.gaierror):
        return "its host name is not known"
    if isinstance(cause, OSError) and cause.strerror:
        return f"it cannot be reached ({cause.strerror})"
    if isinstance(cause, HTTPException):
        return "what it answers is no HTTP"
    return f"its answer cannot be read ({type(cause).__name__})"


def _too_late(bounds: Bounds) -> str:
    return f"it does not answer within {bounds.seconds:g} seconds"
