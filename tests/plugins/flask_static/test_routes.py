"""Which addresses belong to which repository, and which configurations are refused."""

from pathlib import Path

import pytest

from entitlements_core.errors import ConfigurationError
from entitlements_core.services.settings import Settings
from flask_static_entitlements import ConfigVars, Options
from flask_static_entitlements.configuration import configure
from flask_static_entitlements.routes import Guarded, Mount, Routes, flatten


def mount(name: str = "a/b", prefix: str = "", *protect: str, file_url: str = "") -> Mount:
    return Mount(
        repository=name, directories=("x",), prefix=prefix, protect=protect, file_url=file_url
    )


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/simple", True),
        ("/simple/", True),
        ("/packages/x.whl", True),
        ("/acme/prod/simple/", True),
        ("/+health", True),
        ("/+auth", True),
        ("/simplex", False),
        ("/", False),
        ("/acme/prod/", False),
        ("/+healthy", False),
    ],
)
def test_what_is_served(path: str, *, expected: bool) -> None:
    routes = Routes([mount(), mount("acme/prod", "/acme/prod")])
    assert routes.serves(path) is expected
    assert routes.guard(path) is None


@pytest.mark.parametrize(
    ("path", "plain"),
    [
        ("/simple", True),
        ("/simple/", True),
        ("/simple/a/a-1.whl", True),
        ("/Simple/", False),
        ("/simple./a", False),
        ("/simple /a", False),
        ("//simple/", False),
        ("/x/../simple/", False),
        ("/../simple/", False),
        ("/./simple", False),
        ("/%73imple/", False),
        ("/%2573imple/", False),
        ("\\simple\\a", False),
        ("/sim\0ple/", False),
        ("/simple;v=1/a", False),
        ("/simplex", None),
        ("/about/simple", None),
        ("/.well-known/acme-challenge/x", None),
    ],
)
def test_what_is_guarded(path: str, *, plain: bool | None) -> None:
    own = mount("a/b", "", "/simple")
    expected = None if plain is None else Guarded(own, plain=plain)
    assert Routes([own]).guard(path) == expected


@pytest.mark.parametrize(
    ("path", "raw"),
    [
        ("/simple/../about", ""),
        ("/simple/..;x/../secret/F.whl", ""),
        ("/simple/%2e%2e/../secret/F.whl", ""),
        ("/about//", ""),
        ("/about;x", ""),
        ("/about%", ""),
        ("/about\x1f", ""),
        ("/\xc0\xae\xc0\xae/x", ""),
        ("/about/x", "/about%2Fx"),
        ("about", ""),
    ],
)
def test_what_can_be_read_in_several_ways_is_no_address_of_a_guarded_app(
    path: str, raw: str
) -> None:
    guarded = Routes([mount("a/b", "", "/simple")]).guard(path, raw=raw)
    assert guarded is not None
    assert not guarded.plain


@pytest.mark.parametrize(
    ("rule", "path", "expected"),
    [
        ("/simple/<path:path>", "/simple/a;b", "own"),
        ("/simple/<project>/<filename>", "/simple/a/100%", "own"),
        ("/SIMPLE/<path:path>", "/SIMPLE/a;b", "own"),
        ("/simple", "/simple;x", "own"),
        # What could be read as an address below the prefix, whatever the rule says.
        ("/wiki/<path:title>", "/wiki/..;x/../simple/F.whl", "own"),
        ("/<path:path>", "/x/../simple/F.whl", "own"),
        # A rule that could match below it: not an address of the app, but nobody's login either.
        ("/<path:path>", "/100%", "none"),
        ("/sim<path:path>", "/sim/a;b", "none"),
        ("/simple<path:path>", "/simple-docs/a;b", "own"),
        ("/wiki/<path:title>", "/wiki/100%", "free"),
        ("/simple-docs/<path:path>", "/simple-docs/a;b", "free"),
        ("/about", "/about;x", "free"),
        ("/", "/;x", "free"),
    ],
)
def test_the_rule_tells_what_an_odd_spelling_belongs_to(
    rule: str, path: str, expected: str
) -> None:
    own = mount("a/b", "", "/simple")
    found = Routes([own]).guard(path, rule=rule)
    assert found == {
        "own": Guarded(own, plain=False),
        "none": Guarded(None, plain=False),
        "free": None,
    }.get(expected)


@pytest.mark.parametrize("path", ["//packages/x", "/x/../packages/x", "/a\\..\\packages\\x"])
def test_no_other_spelling_leads_to_a_hidden_route_of_the_app(path: str) -> None:
    assert Routes([mount()]).serves(path)
    assert not Routes([mount()]).serves("/about//x")


def test_flattening_keeps_to_the_root() -> None:
    assert flatten("/../../a//b/./c/..") == "/a/b"


@pytest.mark.parametrize(
    "mounts",
    [
        [mount(), mount("c/d")],
        [mount("a/b", "/x"), mount("c/d", "/x")],
        [mount("a/b", "/x"), mount("c/d", "/x/simple")],
        [mount(), mount("c/d", "", "/Simple")],
        [mount(), mount("c/d", "", "")],
        [mount("a/b", "", "/x"), mount("c/d", "", "/x/y")],
    ],
)
def test_overlapping_repositories_are_refused(mounts: list[Mount]) -> None:
    with pytest.raises(ConfigurationError, match="overlaps"):
        Routes(mounts)


@pytest.mark.parametrize("prefix", ["acme", "/a b", "/+t/x", "/a/../b", "/a//b", "/ä", "/a?b"])
def test_a_prefix_must_be_a_path(prefix: str) -> None:
    with pytest.raises(ConfigurationError, match="no URL prefix"):
        Routes([mount("a/b", prefix)])


@pytest.mark.parametrize(
    "file_url",
    [
        "/files/{filename}",
        "/simple/{name}/{filename}",
        "/simple/{filename",
        "/simple/x",
        "/simple/{0}/{filename}",
    ],
)
def test_links_must_lead_to_guarded_files(file_url: str) -> None:
    with pytest.raises(ConfigurationError, match="file_url"):
        Routes([mount("a/b", "", "/simple", file_url=file_url)])


def test_links_are_only_for_guards() -> None:
    with pytest.raises(ConfigurationError, match="guards no views"):
        Routes([mount(file_url="/packages/{filename}")])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "No repository is configured"),
        ({"repository": "a/b"}, "No directory is named"),
        ({"repositories": {"a/b": {}}}, "No directory is named"),
        ({"repositories": {"a/b": {"directory": "x"}}}, "unknown option 'directory'"),
        ({"repositories": {"a/b": {}}, "repository": "a/b"}, "Both one repository and several"),
        ({"repositorys": {}}, "There is no option 'repositorys'"),
        ({"repository": "a/b", "directories": "x", "watch": "never"}, "settings cannot be used"),
    ],
)
def test_what_is_missing_or_wrong_is_said(options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        configure(options, {})


def test_every_option_has_a_configuration_key() -> None:
    keys = {value for name, value in vars(ConfigVars).items() if name.isupper()}
    options = {f"ENTITLEMENTS_{name.upper()}" for name in Options.__annotations__}
    assert keys == options - {"ENTITLEMENTS_PLUGINS"}
    assert {f"ENTITLEMENTS_{name.upper()}" for name in Settings.model_fields} <= keys


def test_options_win_over_the_app_and_that_over_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ENTITLEMENTS_DOWNLOAD_WINDOW", "1")
    monkeypatch.setenv("ENTITLEMENTS_TRUSTED_PROXIES", "fd00::/8,10.0.0.0/8")
    config = {"ENTITLEMENTS_GUESSES_PER_MINUTE": 2, "ENTITLEMENTS_DIRECTORIES": [tmp_path / "a,b"]}
    found = configure({"repository": "a/b", "guesses_per_minute": 3, "ipv6_prefix": 48}, config)
    assert found.settings.download_window == 1
    assert found.settings.guesses_per_minute == 3
    assert found.settings.ipv6_prefix == 48
    assert [str(network) for network in found.settings.proxies.networks] == [
        "fd00::/8",
        "10.0.0.0/8",
    ]
    assert found.mounts[0].directories == (str(tmp_path / "a,b"),)
