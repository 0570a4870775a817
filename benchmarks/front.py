"""nginx with a password file, apr1 as ``htpasswd`` writes it."""

from __future__ import annotations

import base64
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from tests.functional import nginx


@contextmanager
def nginx_with_passwords(work: Path, pages: Path) -> Iterator[tuple[int, str]]:
    """Serve `pages`; gives the port and the Authorization header."""
    work.mkdir(exist_ok=True)
    hashed = subprocess.run(
        ["openssl", "passwd", "-apr1", "secret"], check=True, capture_output=True, text=True
    ).stdout.strip()
    (work / "htpasswd").write_text(f"token:{hashed}\n")
    location = f"""
        location / {{
            root {pages};
            auth_basic "packages";
            auth_basic_user_file {work}/htpasswd;
        }}
    """
    root = work / "server"
    if root.exists():
        subprocess.run(["rm", "-r", str(root)], check=True)
    with nginx.running(root, location) as url:
        token = base64.b64encode(b"token:secret").decode()
        yield urlsplit(url).port or 0, f"Authorization: Basic {token}"
