"""The server's key: made once, private, never replaced by a new one in silence."""

import base64
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entitlements_core.errors import KeyFileError
from entitlements_core.policy.secret import checksum_holds
from entitlements_core.services.keyring import Keyring, new_secret

KEY = Keyring(bytes(range(32)))
OTHER = Keyring(b"o" * 32)


def test_the_derived_keys_never_change() -> None:
    """Stored digests depend on them."""
    assert KEY.fingerprint == "2038ee533a58ecfe9dc26510b0b1fb33"
    assert (
        KEY.digest("secret").hex()
        == "67151cf45492e10a0cdd74ceadf55beb8f2d59889810828b0d5a490b77e240e3"
    )


def test_another_key_gives_other_digests_and_another_fingerprint() -> None:
    assert KEY.digest("secret") != OTHER.digest("secret")
    assert KEY.fingerprint != OTHER.fingerprint


@given(first=st.text(), second=st.text())
def test_equal_digests_are_equal_secrets(first: str, second: str) -> None:
    assert (KEY.digest(first) == KEY.digest(second)) is (first == second)
    assert len(KEY.digest(first)) == 32


def test_any_text_has_a_digest() -> None:
    assert len(KEY.digest("\ud800")) == 32


@given(secret=st.text(max_size=60))
def test_what_is_sealed_can_be_shown_again(secret: str) -> None:
    sealed = KEY.seal(secret)
    assert KEY.unseal(sealed) == secret
    assert KEY.seal(secret) != sealed
    assert len(secret) < 4 or secret.encode() not in sealed


@pytest.mark.parametrize(
    "alter",
    [
        lambda sealed: sealed[:-1],
        lambda sealed: sealed[:20],
        lambda sealed: sealed[:5],
        lambda _: b"",
        lambda sealed: sealed[:-1] + bytes([sealed[-1] ^ 1]),
        lambda sealed: bytes([sealed[0] ^ 1]) + sealed[1:],
        lambda _: OTHER.seal("secret"),
    ],
    ids=["shorter", "cut", "stump", "empty", "end-altered", "nonce-altered", "another-key"],
)
def test_what_was_altered_is_not_shown(alter: Callable[[bytes], bytes]) -> None:
    with pytest.raises(KeyFileError, match="cannot be opened with this key"):
        KEY.unseal(alter(KEY.seal("secret")))


def test_a_key_file_is_made_once_and_private(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "er" / "key"

    made = Keyring.create(path)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert Keyring.load(path).fingerprint == made.fingerprint
    assert Keyring.create(path).fingerprint == made.fingerprint
    assert [file.name for file in path.parent.iterdir()] == ["key"]


def test_two_files_hold_two_keys(tmp_path: Path) -> None:
    first, second = Keyring.create(tmp_path / "a"), Keyring.create(tmp_path / "b")
    assert first.fingerprint != second.fingerprint


def test_those_who_make_it_at_once_share_one_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: Keyring.create(tmp_path / "key").fingerprint, range(16)))
    assert len(set(made)) == 1


def test_a_missing_key_is_never_made_anew(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match=r"is missing.*Restore it from your backup"):
        Keyring.load(tmp_path / "key")
    assert not (tmp_path / "key").exists()


def stored(key: bytes) -> bytes:
    return b"index-entitlements-key-1:" + base64.b64encode(key)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe",
        b"index-entitlements-key-1",
        b"index-entitlements-key-1:",
        b"index-entitlements-key-1:???",
        stored(b"k" * 31),
        stored(b"k" * 33),
        stored(b"k" * 32).replace(b"key-1", b"key-2"),
        base64.b64encode(b"k" * 32),
    ],
)
@pytest.mark.parametrize("read", [Keyring.load, Keyring.create])
def test_what_is_no_key_is_refused_and_kept(
    tmp_path: Path, content: bytes, read: Callable[[Path], Keyring]
) -> None:
    path = tmp_path / "key"
    path.write_bytes(content)
    with pytest.raises(KeyFileError, match="cannot be read"):
        read(path)
    assert path.read_bytes() == content


def test_a_directory_is_no_key(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match="Is a directory"):
        Keyring.load(tmp_path)


def test_a_key_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(KeyFileError, match=r"cannot be written: .*Choose a directory"):
        Keyring.create(tmp_path / "file" / "key")


def test_generated_secrets_are_new_and_right() -> None:
    secrets = {new_secret() for _ in range(50)}
    assert len(secrets) == 50
    assert all(checksum_holds(secret) for secret in secrets)
