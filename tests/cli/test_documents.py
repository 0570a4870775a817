"""Every document that ``--json`` prints, to the byte: scripts rely on names, order and form.

``DOCUMENTS=write pytest tests/cli/test_documents.py`` writes `documents.txt` anew.
"""

import os
import re
from pathlib import Path
from typing import Final

import pytest

from entitlements_core import hookimpl
from entitlements_core.plugins import Plugins
from tests.cli.conftest import CommandLine

GOLDEN: Final = Path(__file__).with_name("documents.txt")
ODD: Final = re.compile(
    r"(?P<time>\d{4}-\d\d-\d\dT[\d:.]+Z)"
    r"|(?P<sha256>\b[0-9a-f]{64}\b)"
    r"|(?P<fingerprint>(?<=key_fingerprint\": \")[0-9a-f]+)"
    r"|(?P<number>(?<=\"pid\": )\d+|(?<=\"size\": )\d+|(?<=\"schema\": \")\w+"
    r"|(?<=\"before\": \")\d{4}|(?<=\"current\": \")\d{4})"
    r"|(?P<secret>\bent_\w+)"
    r"|(?P<suffix>(?<=entitlements.db.before-)[\dTZ.]+)"
    r"|(?P<day>\b20\d\d-\d\d-\d\d\b)"
)
"""What differs from run to run."""
COMMANDS: Final = """
    init
    repo add acme/new --description Tools --contact help@acme.example
    repo list
    repo show acme/prod
    repo edit acme/prod --user-tokens
    repo reserve acme/prod acme-* tool
    repo reserved acme/prod
    repo unreserve acme/prod tool
    token create --repo acme/prod --name Plain --secret plain-secret-1
    token create --repo acme/prod --repo acme/beta --name Full --secret full-secret-1 \
        --query name:demo --access rw --allow 192.0.2.0/24 --deny 198.51.100.7 \
        --eula-required --valid-from 2020-01-01 --valid-until 2999-12-31T18:30:00+01:00 \
        --updates-until 2999-06-30 --max-downloads 10 --max-clients 3 --max-bandwidth 15GB \
        --reset-period Monthly --reset-at 2999-01-01 --metadata {"plan":"gold","seats":[1,2]} \
        --tag gold --tag eu --owner acme
    token list --show-secret --disabled
    token show PLAIN --show-secret
    token edit PLAIN --max-downloads 0 --query version:<2
    token edit PLAIN --no-max-downloads --no-query
    token grant PLAIN acme/beta --query name:^other --access rw
    token regrant PLAIN
    token regrant --repo acme/beta
    token revoke PLAIN acme/beta
    token refresh PLAIN --overlap 7d
    token show PLAIN
    token set PLAIN --secret plain-secret-2
    token disable PLAIN
    token enable PLAIN
    token reset PLAIN
    token clients PLAIN
    token sync acme/beta acme/new --mode merge
    token sync acme/prod acme/new --dry-run
    user-token get ann --repo acme/prod
    token cleanup --dry-run
    usage
    usage --by token,repository,package,version,filename,client,user_agent,day
    usage --by repository
    usage --by ''
    package tag demo==1.0 lts --repo acme/prod
    package tag demo supported --repo acme/prod
    package untag demo supported --repo acme/prod
    package tags --repo acme/prod
    index PACKAGES --repo acme/prod
    package list --repo acme/prod --dir PACKAGES
    package uploaded demo-1.0-py3-none-any.whl 2026-02-03T04:05:06Z --repo acme/prod
    preview name:demo --repo acme/prod --dir PACKAGES
    preview name:other --repo acme/prod --dir PACKAGES --token FULL
    explain PLAIN demo-1.0-py3-none-any.whl --dir PACKAGES
    explain FULL other-0.1.tar.gz --repo acme/prod --dir PACKAGES --from 203.0.113.9 \
        --at 2019-06-01
    explain FULL demo-1.0-py3-none-any.whl --repo acme/prod --dir PACKAGES --from 192.0.2.9
    snippets PLAIN --url https://pypi.acme.example --dir PACKAGES --client pip --client docker
    snippets --secret some-secret-1 --url http://pypi.acme.example --show-secret --client keyring \
        --package demo --host flask --mount '' --client twine --upstream
    eula add acme/prod LICENCE
    eula list acme/prod
    eula show acme/prod
    eula accept FULL --repo acme/prod --number 1 --from 192.0.2.1
    eula withdraw FULL --repo acme/prod
    repo edit acme/prod --enforce-eula
    audit --page-size 4
    db current
    db upgrade
    db check
    db rollups
    db rollups --check
    db prune --downloads-older-than 400d --dry-run
    backup COPY
    restore COPY
    doctor --repair
    token delete FULL
    repo remove acme/new --force
    token show nobody
    token list --search name:(
    token edit PLAIN --valid-from yesterday
    token edit PLAIN
"""


class Host:
    """A host whose users may read."""

    @hookimpl
    def entitlements_user_may_read(self) -> bool:
        """Whoever it is."""
        return True


@pytest.fixture
def printed(
    cli: CommandLine, packages: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> str:
    """What all commands print, one after the other."""
    monkeypatch.setattr(Plugins, "_discover", lambda self: self.register(Host()))
    monkeypatch.setattr("entitlements_core.cli.session._effective_user", lambda: "vendor")
    monkeypatch.delenv("SUDO_USER", raising=False)
    words = {"PACKAGES": str(packages), "LICENCE": str(tmp_path / "licence"), "''": ""}
    words["COPY"] = str(tmp_path / "copy.db")
    (tmp_path / "licence").write_text("Use it gently.\n")
    lines = []
    for line in (" ".join(one.split()) for one in COMMANDS.strip().splitlines()):
        given = [words.get(one, one) for one in line.split()]
        ran = cli(*given, "--json")
        if line.startswith("token create"):
            name = given[given.index("--name") + 1].upper()
            words[name] = ran.json["slug_perm"]
            if name == "PLAIN":
                cli.use(words[name])
        lines += [f"$ entitlements {line}", ran.out + ran.err]
    text = "\n".join(lines).replace(str(tmp_path), "<dir>")
    for found in re.findall(r"\"(?:slug_perm|identifier|token)\": \"(\w{12})\"", text):
        text = text.replace(found, "<id>")
    return ODD.sub(lambda found: f"<{found.lastgroup}>", text)


def test_every_document_is_as_it_was(printed: str) -> None:
    if os.environ.get("DOCUMENTS") == "write":
        GOLDEN.write_text(printed, encoding="utf-8")
    assert printed == GOLDEN.read_text(encoding="utf-8")
