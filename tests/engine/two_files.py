"""A small file and one of more than three chunks, opened and sent."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any, Final

from entitlements_core.engine.catalog import Catalog
from entitlements_core.engine.downloads import Sender, send_file
from entitlements_core.engine.files import OpenFile, open_current
from entitlements_core.http import ByteRange
from entitlements_core.policy.decide import Question
from entitlements_core.policy.decision import Deny
from entitlements_core.services.gate import Reservation
from entitlements_core.wsgi import Request, Response
from tests.factories import question

__all__ = ["BIG", "QUESTION", "SMALL", "Counter", "asked", "is_open", "opened", "sent"]

BIG: Final = "big-1.0-py3-none-any.whl"
SMALL: Final = "small-1.0-py3-none-any.whl"
QUESTION: Final = question()


@dataclass
class Counter:
    """Counts what is sent, or refuses all of it."""

    denies: Deny | None = None
    parts: list[ByteRange] = field(default_factory=list)
    released: int = 0

    def reserve(
        self, question: Question, part: ByteRange, user_agent: str = ""
    ) -> Reservation | Deny:
        self.parts.append(part)
        return self.denies or Reservation(None)

    def release(self, reservation: Reservation) -> None:
        self.released += 1


def opened(catalog: Catalog, name: str) -> OpenFile:
    file = catalog.snapshot.file(name)
    assert file is not None
    found = open_current(catalog, file)
    assert found is not None
    return found


def is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def asked(method: str = "GET", **environ: Any) -> Request:  # noqa: ANN401 - as WSGI's
    return Request(method=method, path="/", presented=None, address=None, environ=environ)


def sent(
    sender: Sender,
    found: OpenFile,
    wanted: ByteRange | None = None,
    *,
    counter: Counter | None = None,
    method: str = "GET",
    wrapper: object = None,
    **environ: Any,  # noqa: ANN401 - as WSGI's
) -> Response:
    """The response to a request for a range of a file."""
    environ["wsgi.file_wrapper"] = wrapper
    if wanted is not None:
        environ["HTTP_RANGE"] = f"bytes={wanted.start}-{wanted.stop - 1}"
    response = send_file(
        found, QUESTION, asked(method, **environ), gate=counter or Counter(), sender=sender
    )
    assert isinstance(response, Response)
    return response
