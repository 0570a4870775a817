"""The server's key: it finds tokens by their secret and seals secrets so that they can be shown.

The key lies in a file of its own beside the store, so that a copy of the database alone opens
nothing. Two keys are derived from it: one for the digests by which secrets are looked up, one for
the authenticated encryption of sealed secrets.
"""

import base64
import binascii
import hmac
import os
import secrets
import tempfile
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from entitlements_core.errors import KeyFileError
from entitlements_core.policy.secret import RANDOM_BYTES, from_random_bytes
from entitlements_core.services.home import make_home
from entitlements_core.services.home_access import closed_file
from entitlements_core.store.ownership import give_to_owner

__all__ = ["Keyring", "new_secret"]

_HEADER: Final = "index-entitlements-key-1"
_KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12


def new_secret() -> str:
    """A generated secret of 190 random bits."""
    return from_random_bytes(secrets.token_bytes(RANDOM_BYTES))


class Keyring:
    """The derived keys of one key file.

    Attributes:
        fingerprint: identifies the key without telling anything of it; the store remembers the one
            it was made with.
    """

    def __init__(self, key: bytes) -> None:
        self._digest_key = _derive(key, b"digest")
        self._seal = AESGCM(_derive(key, b"seal"))
        self.fingerprint = _derive(key, b"fingerprint").hex()[:32]

    @classmethod
    def load(cls, path: Path) -> "Keyring":
        """Read the key file at `path`.

        Raises:
            KeyFileError: when it is missing, unreadable or no key.
        """
        try:
            header, _, text = path.read_text(encoding="ascii").strip().partition(":")
            key = base64.b64decode(text, validate=True)
        except FileNotFoundError:
            raise KeyFileError(
                f"The key file {path} is missing.",
                "Restore it from your backup: without it no token of its store can be found.",
            ) from None
        except PermissionError:
            found, remedy = closed_file(path)
            raise KeyFileError(
                f"The key file {path} may not be read by this user: {found}.", remedy
            ) from None
        except OSError as error:
            raise _unreadable(path, error.strerror or type(error).__name__) from None
        except (UnicodeDecodeError, binascii.Error):
            raise _unreadable(path, "not a key of this product") from None
        if header != _HEADER or len(key) != _KEY_BYTES:
            raise _unreadable(path, "not a key of this product")
        return cls(key)

    @classmethod
    def create(cls, path: Path) -> "Keyring":
        """Make a key file as `make` does, or load the one that another process made first.

        Raises:
            KeyFileError: when it cannot be written, or an existing one cannot be read.
        """
        cls.make(path)
        return cls.load(path)

    @staticmethod
    def make(path: Path) -> bool:
        """Make a key file with mode 0600; gives whether it was this call that made it.

        Raises:
            KeyFileError: when it cannot be written.
        """
        text = f"{_HEADER}:{base64.b64encode(secrets.token_bytes(_KEY_BYTES)).decode()}\n"
        try:
            make_home(path.parent)
            # A finished file under another name, then linked: nobody ever reads half a key.
            descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".key-")
            try:
                with os.fdopen(descriptor, "w", encoding="ascii") as file:
                    os.fchmod(descriptor, 0o600)  # even where a umask takes more
                    give_to_owner(descriptor, path.parent)
                    file.write(text)
                    file.flush()
                    os.fsync(file.fileno())
                return _linked(name, path)
            finally:
                Path(name).unlink()
        except OSError as error:
            raise KeyFileError(
                f"The key file {path} cannot be written: {error.strerror}.",
                "Choose a directory that the server may write to.",
            ) from None

    def digest(self, secret: str) -> bytes:
        """The look-up key of `secret`: HMAC-SHA256, 32 bytes."""
        return hmac.digest(self._digest_key, secret.encode(errors="surrogatepass"), "sha256")

    def seal(self, secret: str) -> bytes:
        """`secret` encrypted so that `unseal` can show it again."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + self._seal.encrypt(nonce, secret.encode(), None)

    def unseal(self, sealed: bytes) -> str:
        """The secret that was sealed.

        Raises:
            KeyFileError: when it was sealed with another key, or altered.
        """
        try:
            return self._seal.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], None).decode()
        except (InvalidTag, ValueError):
            raise KeyFileError(
                "A sealed secret cannot be opened with this key.",
                "Restore the key file that belongs to this store.",
            ) from None


def _linked(name: str, path: Path) -> bool:
    try:
        os.link(name, path)
    except FileExistsError:
        return False
    return True


def _derive(key: bytes, purpose: bytes) -> bytes:
    return hmac.digest(key, b"index-entitlements:" + purpose, "sha256")


def _unreadable(path: Path, why: str) -> KeyFileError:
    return KeyFileError(
        f"The key file {path} cannot be read ({why}).",
        "Restore it from your backup: no other key opens its store.",
    )
