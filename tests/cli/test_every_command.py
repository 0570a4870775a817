"""What holds for all commands."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from entitlements_core import __version__, hookimpl, plugins
from entitlements_core.cli.program import app
from entitlements_core.errors import PluginError
from entitlements_core.services.snippets import CLIENTS, USUAL
from tests.cli.conftest import CommandLine
from tests.pages import blocks, take_all
from tests.pages import commands as printed


def commands() -> Iterator[tuple[str, Any]]:
    """Each command of the product with its words; no groups."""

    def walk(words: str, command: Any) -> Iterator[tuple[str, Any]]:  # noqa: ANN401 - Typer's own
        below = getattr(command, "commands", None)
        if below is None:
            yield words, command
        for name, one in (below or {}).items():
            yield from walk(f"{words} {name}".strip(), one)

    yield from walk("", typer.main.get_command(app))


ROOT = Path(__file__).parents[2]
COMMANDS = dict(commands())
WANTED = """
    init; repo add; repo list; repo show; repo edit; repo remove; token create; token list;
    token show; token edit; token set; token refresh; token reset; token enable; token disable;
    token delete; token sync; token cleanup; token grant; token regrant; token revoke;
    token clients; explain;
    preview; snippets; usage; audit; serve; index; db upgrade; db current; db check;
    db rollups; db prune; doctor;
    eula add; eula list; eula show; eula accept; package tag; package untag; package tags;
    package list; user-token get; backup; restore
"""


def test_the_commands_that_scripts_rely_on_are_there() -> None:
    assert COMMANDS.keys() >= {" ".join(one.split()) for one in WANTED.split(";")}


@pytest.mark.parametrize("words", COMMANDS)
def test_every_command_prints_json_and_explains_itself(words: str) -> None:
    command = COMMANDS[words]
    options = {name for param in command.params for name in param.opts}
    assert "--json" in options
    assert command.help
    for param in command.params:
        assert param.help, f"{words} {param.name} has no help"


@pytest.mark.parametrize("words", COMMANDS)
def test_every_command_has_a_help_page(words: str, empty: CommandLine) -> None:
    ran = empty(*words.split(), "--help")
    assert (ran.status, ran.err) == (0, "")
    assert "--json" in ran.out
    assert not empty.home.exists()


def test_version(empty: CommandLine) -> None:
    assert empty("--version").out == f"index-entitlements {__version__}\n"


class Extra:
    """A plugin with a command of its own, and one that takes the name of ours."""

    @hookimpl
    def entitlements_commands(self, app: typer.Typer) -> None:
        @app.command("greet")
        def greet() -> None:
            """Say hello."""
            typer.echo("hello")

        @app.command("init")
        def init() -> None:
            """Never reached."""
            typer.echo("no")


def test_plugins_add_commands(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plugins.Plugins, "_discover", lambda self: self.register(Extra()))
    assert cli("greet").out == "hello\n"
    assert "Say hello." in cli("--help").out
    assert "made" in cli("init", "--json").out


def test_a_plugin_that_cannot_be_loaded(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object) -> None:
        raise PluginError("The plugin is broken.", "Mend it.")

    monkeypatch.setattr(plugins.Plugins, "_discover", fail)
    assert cli("--help").status == 0
    assert cli.refused("token", "list")["code"] == "plugin"
    assert cli.refused("greet")["code"] == "plugin"


PAGES = ["README.md", *(f"docs/{one.name}" for one in sorted((ROOT / "docs").glob("*.md")))]


def documented() -> Iterator[str]:
    """Commands of the pages that are typed as they stand, without a shell's own signs."""
    for page in PAGES:
        own = take_all(page, "console") if page == "docs/cli.md" else blocks(page)
        for block in own:
            for line in printed(block.text) if block.language == "console" else ():
                for one in line.partition("   #")[0].split(" && "):
                    typed = re.sub(r"--home \S+ ", "", one).strip()
                    if typed.startswith("entitlements ") and typed.count("'") % 2 == 0:
                        yield typed


DOCUMENTED = sorted({one for one in documented() if not one.startswith("entitlements devpi ")})


@pytest.mark.parametrize("line", DOCUMENTED)
def test_what_is_documented_can_be_typed(line: str) -> None:
    words = shlex.split(line, comments=True)[1:]
    found = max((one for one in COMMANDS if words[: len(one.split())] == one.split()), key=len)
    context = typer.main.get_command(app).make_context("entitlements", [], resilient_parsing=True)
    given = words[len(found.split()) :]
    COMMANDS[found].make_context(found, given, parent=context)


def test_something_is_documented() -> None:
    assert len(DOCUMENTED) > 60


MENTIONED = sorted(
    {
        (page, " ".join(found[1].split()))
        for page in PAGES
        for found in re.finditer(r"`(?:\$ )?entitlements ([a-z][^`]*)`", (ROOT / page).read_text())
    }
)


@pytest.mark.parametrize(("page", "words"), MENTIONED)
def test_what_a_text_names_is_a_command_with_these_options(page: str, words: str) -> None:
    given = words.split()
    names = [one for one in COMMANDS if given[: len(one.split())] == one.split()]
    groups = {one.split()[0] for one in COMMANDS} | {"devpi"}
    assert names or given[0] == "devpi" or (len(given) == 1 and given[0] in groups), page
    if not names:
        return
    command = COMMANDS[max(names, key=len)]
    known = {name for param in command.params for name in (*param.opts, *param.secondary_opts)}
    options = {one.partition("=")[0].rstrip(".,") for one in given if one.startswith("--")}
    assert options <= known | {"--help"}, page


def test_the_secret_of_a_users_token_is_documented() -> None:
    page = (ROOT / "docs/cli.md").read_text()
    line = next(one for one in page.splitlines() if one.startswith("| `user-token get"))
    assert "--show-secret" in line


def test_the_help_of_snippets_says_what_its_options_take() -> None:
    params = {param.name: param for param in COMMANDS["snippets"].params}
    listed = re.findall(r"[a-z-]+", params["client"].help.partition(";")[0].replace(" or ", ", "))
    assert sorted(listed) == sorted(CLIENTS)
    assert sorted(listed[:6]) == sorted(USUAL)
    assert params["upstream"].is_flag
    assert params["upstream"].help.startswith("Whether ")
    assert not params["url"].is_flag
    assert params["url"].metavar == "URL"


@pytest.mark.parametrize("words", COMMANDS)
def test_a_repository_that_has_to_be_named_is_by_default_the_one_that_is_served(words: str) -> None:
    for param in COMMANDS[words].params:
        if "--repo" in param.opts and param.required:
            assert param.envvar == "ENTITLEMENTS_REPOSITORY"
