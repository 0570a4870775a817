"""Apps that show a tree of files to everybody, guarded; a server loads them by `create_app`.

The Host header chooses: ``flask`` is guarded by the extension, with each form of view that the
documentation shows; ``lenient`` reads addresses as leniently as any server could, behind the
wrapper; ``bare`` is the lenient one without a guard, which shows that a spelling leads to a file.
"""

from __future__ import annotations

import os
import posixpath
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

from flask import Flask, Response, send_from_directory

from flask_static_entitlements import (
    Entitlements,
    EntitlementsASGI,
    EntitlementsMiddleware,
    Options,
)

REPOSITORY: Final = "acme/prod"
PREFIXES: Final = ("/simple", "/packages", "/files")
"""Of the three forms of view: by path, by project and file name, by file name."""

StartResponse = Callable[..., Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Scope]]
Send = Callable[[Scope], Awaitable[None]]


def _options() -> Options:
    return {
        "repository": REPOSITORY,
        "directories": [os.environ["GUARDED_TREE"]],
        "protect": list(PREFIXES),
        "file_url": "/simple/{path}",
        "create_repositories": True,
    }


def flask_app() -> Flask:
    """Guarded by the extension."""
    app, tree = Flask("vendor"), Path(os.environ["GUARDED_TREE"])

    @app.get("/simple/<path:path>")
    def by_path(path: str) -> Response:
        return send_from_directory(tree, path)

    @app.get("/packages/<project>/<filename>")
    def by_project(project: str, filename: str) -> Response:
        return send_from_directory(tree / project, filename)

    @app.get("/files/<filename>")
    def by_name(filename: str) -> Response:
        found = next(iter(tree.glob(f"*/{filename}")), tree / filename)
        return send_from_directory(found.parent, found.name)

    app.add_url_rule("/about", "about", lambda: "about us")
    app.add_url_rule("/about/<path:topic>", "topic", lambda topic: f"about {topic}")
    Entitlements(app, **_options())
    return app


def _lenient(*readings: str) -> bytes | None:
    """The file that some reading of an address names."""
    tree = Path(os.environ["GUARDED_TREE"])
    for reading in readings:
        text = reading
        for _ in range(3):
            text = unquote(text)
        text = text.replace("\\", "/").replace("\0", "").replace("\uff0e", ".").casefold()
        bare = "/".join(part.partition(";")[0].rstrip(". ") or part for part in text.split("/"))
        for path in (text, bare):
            plain = posixpath.normpath("/" + path.lstrip("/"))
            for prefix in PREFIXES:
                found = tree / plain.removeprefix(prefix).lstrip("/")
                if plain.startswith(f"{prefix}/") and found.is_file():
                    return found.read_bytes()
    return None


def lenient(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
    """An application that takes every reading that it can think of."""
    raw = environ.get("RAW_URI") or environ.get("REQUEST_URI") or ""
    found = _lenient(environ["PATH_INFO"], raw.partition("?")[0])
    start_response("404 Not Found" if found is None else "200 OK", [("Content-Type", "x/y")])
    return [found or b""]


def create_app() -> Callable[[dict[str, Any], StartResponse], Iterable[bytes]]:
    """The apps of all hosts, for a WSGI server."""
    flask, wrapper = flask_app(), EntitlementsMiddleware(lenient, **_options())
    apps: dict[str, Callable[..., Iterable[bytes]]] = {
        "flask": flask,
        "lenient": wrapper,
        "bare": lenient,
    }

    def choose(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        return apps[environ["HTTP_HOST"]](environ, start_response)

    return choose


async def lenient_asgi(scope: Scope, receive: Receive, send: Send) -> None:
    """The same under ASGI."""
    raw = scope.get("raw_path") or b""
    found = _lenient(scope["path"], raw.decode("latin-1"))
    await send({"type": "http.response.start", "status": 404 if found is None else 200})
    await send({"type": "http.response.body", "body": found or b""})


def create_asgi_app() -> Callable[..., Awaitable[None]]:
    """The lenient app behind the wrapper and without it, for an ASGI server."""
    apps: dict[bytes, Callable[[Scope, Receive, Send], Awaitable[None]]]
    apps = {b"lenient": EntitlementsASGI(lenient_asgi, **_options()), b"bare": lenient_asgi}

    async def choose(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await apps[dict(scope["headers"])[b"host"]](scope, receive, send)

    return choose
