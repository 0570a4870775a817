"""``entitlements snippets``."""

from tests.cli.conftest import CommandLine

URL = ("--url", "https://packages.example/acme/prod")


def test_the_secret_is_left_out_unless_asked_for(cli: CommandLine) -> None:
    token = cli.token()
    found = cli.done("snippets", token["slug_perm"], *URL)
    assert found["index_url"] == "https://packages.example/acme/prod/simple/"
    assert token["token"] not in str(found)
    assert token["token"] in str(cli.done("snippets", token["slug_perm"], *URL, "--show-secret"))
    clients = [one["client"] for one in found["snippets"]]
    assert clients[-1] == "path"
    assert "twine" not in clients


def test_a_token_that_uploads_gets_twine(cli: CommandLine) -> None:
    slug = cli.token("--access", "rw")["slug_perm"]
    found = cli.done("snippets", slug, *URL)["snippets"]
    assert "twine" in {one["client"] for one in found}


def test_without_a_store(empty: CommandLine) -> None:
    words = ("snippets", "--secret", "-", *URL, "--client", "pip", "--show-secret")
    ran = empty(*words, stdin="one-of-our-own-secrets\n")
    assert "token:one-of-our-own-secrets@packages.example" in ran.out
    hidden = empty(*words[:-1], stdin="one-of-our-own-secrets\n")
    assert "${VENDOR_TOKEN}" in hidden.out
    assert "own-secrets" not in hidden.out
    assert not empty.home.exists()


def test_an_open_address_is_warned_of(empty: CommandLine) -> None:
    ran = empty("snippets", "--secret", "x", "--url", "http://packages.example")
    assert "not encrypted" in ran.err


def test_refusals(cli: CommandLine) -> None:
    assert cli.refused("snippets", *URL)["code"] == "invalid"
    assert cli.refused("snippets", "abc", "--secret", "x", *URL)["code"] == "invalid"
    assert cli.refused("snippets", "--secret", "x", "--url", "nothing")["fields"].keys() == {"url"}
    words = ("snippets", "--secret", "x", *URL, "--client", "apt")
    assert cli.refused(*words)["fields"].keys() == {"client"}
