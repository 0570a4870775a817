"""What observers are told. None of these holds a secret."""

from dataclasses import dataclass
from datetime import datetime

__all__ = ["Download", "TokenChange"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """A counted download, told before its first byte is sent.

    Attributes:
        at: aware, UTC.
        token: the identifier of the token.
        repository: ``owner/slug``.
        project, version, filename: of the distribution file.
        client: the address, or the network, that counts as the client.
        user_agent: as the client sent it.
        length: bytes of this answer.
    """

    at: datetime
    token: str
    repository: str
    project: str
    version: str
    filename: str
    client: str
    user_agent: str
    length: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenChange:
    """A change of a token, told after it was stored.

    Attributes:
        at: aware, UTC.
        actor: who did it.
        action: such as ``token.created`` or ``token.disabled``.
        token: the identifier of the token.
    """

    at: datetime
    actor: str
    action: str
    token: str
