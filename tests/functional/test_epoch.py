"""A version with an epoch (PEP 440) has a mark that shells read in their own way."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.functional.vendors import REPOSITORY, Vendor, clean_environment
from tests.wheelhouse import build_wheel


def test_what_is_printed_for_curl_is_one_address_to_an_interactive_shell(tmp_path: Path) -> None:
    vendor = Vendor(tmp_path)
    file = build_wheel(vendor.packages, "lab-epoch", "1!2.0")
    token = vendor.token("customer", "name:^lab-epoch$")
    words = ("snippets", token.token.identifier, "--repo", REPOSITORY, "--client", "curl")
    with vendor.serving() as server:
        where = (
            "--url",
            f"http://127.0.0.1:{server.port}",
            "--host",
            "serve",
            "--dir",
            str(vendor.packages),
        )
        command = [sys.executable, "-m", "entitlements_core.cli", "--home", str(vendor.home)]
        printed = subprocess.run(
            [*command, *words, *where], capture_output=True, text=True, timeout=60, check=True
        ).stdout
        [line] = [line for line in printed.splitlines() if line.startswith("curl ")]
        netrc = tmp_path / ".netrc"
        netrc.write_text(f"machine 127.0.0.1 login token password {token.secret}\n")
        netrc.chmod(0o600)
        typed = f"set -o history -o histexpand\necho one\necho two\n{line} --output got\n"
        subprocess.run(
            ["/bin/bash", "--norc", "-i"],
            input=typed.replace("--remote-name ", ""),
            text=True,
            cwd=tmp_path,
            env=clean_environment(HOME=str(tmp_path), PATH=os.environ["PATH"]),
            capture_output=True,
            timeout=60,
            check=False,
        )
    assert (tmp_path / "got").read_bytes() == file.read_bytes()
