"""A vendor sees at a real server whether anybody still comes with the secret from before."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.actors import person
from tests.functional.vendors import Client, Vendor, clean_environment
from tests.wheelhouse import build_wheel


def previous(vendor: Vendor, identifier: str) -> Any:  # noqa: ANN401 - JSON
    """What the command says of former secrets, beside the server."""
    ended = subprocess.run(
        [
            *(sys.executable, "-m", "entitlements_core.cli", "--home", str(vendor.home)),
            *("token", "show", identifier, "--json"),
        ],
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return json.loads(ended.stdout)["previous_secrets"]


def test_it_is_told_who_still_has_the_old_secret(
    vendor: Vendor, pip: Client, tmp_path: Path
) -> None:
    build_wheel(vendor.packages, "lab-foo", "1.0")
    old = vendor.token("customer")
    identifier = old.token.identifier
    with vendor.serving() as server:

        def install(secret: str | None, name: str) -> datetime:
            """When pip had installed from the index with a secret."""
            url = server.with_basic(secret or "")
            assert pip.install("lab-foo", url, tmp_path / name).status == 0
            return datetime.now(UTC)  # noqa: TID251 - real servers have the real time

        began = install(old.secret, "before")
        new = vendor.core.rotation.refresh(
            identifier, actor=person("test"), overlap=timedelta(hours=1)
        )
        install(new.secret, "new")
        [unused] = previous(vendor, identifier)
        assert unused["last_used_at"] is None

        ended = install(old.secret, "old")
        install(new.secret, "new again")

    [used] = previous(vendor, identifier)
    assert used["valid_until"] == unused["valid_until"]
    assert began < datetime.fromisoformat(used["last_used_at"]) < ended
