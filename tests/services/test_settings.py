"""The settings, as arguments and the environment give them."""

import pytest

from entitlements_core.errors import ConfigurationError
from entitlements_core.services.settings import Settings


def test_an_upstream_is_a_plain_address(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Settings.load().upstream == ""
    monkeypatch.setenv("ENTITLEMENTS_UPSTREAM", " https://index.example/simple ")
    assert Settings.load().upstream == "https://index.example/simple/"
    assert Settings.load(upstream="").upstream == ""


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("index.example", "ENTITLEMENTS_UPSTREAM: .*no address of an index"),
        ("https://user:hunter2@index.example/simple", "Credentials"),
    ],
)
def test_an_upstream_that_is_none(text: str, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words) as raised:
        Settings.load(upstream=text)
    assert "hunter2" not in str(raised.value)
