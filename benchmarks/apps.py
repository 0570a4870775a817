"""The applications that are compared; each server process makes its own."""

from __future__ import annotations

import os
from pathlib import Path

from flask import Flask, Response, send_from_directory

from flask_static_entitlements import Entitlements

PACKAGES = os.environ.get("BENCH_PACKAGES", "")
PAGES = os.environ.get("BENCH_PAGES", "")


def bare() -> Flask:
    """What a vendor has without us: Flask over the same files, pages written to disk before."""
    app = Flask(__name__)

    @app.get("/simple/<name>/")
    def page(name: str) -> Response:
        return send_from_directory(PAGES, f"{name}.html", mimetype="text/html")

    @app.get("/packages/<name>")
    def file(name: str) -> Response:
        return send_from_directory(PACKAGES, name, mimetype="application/octet-stream")

    return app


def extended() -> Flask:
    """A Flask application with the extension."""
    app = Flask(__name__)
    Entitlements(
        app,
        repository="acme/prod",
        directories=[Path(PACKAGES)],
        home=Path(os.environ["ENTITLEMENTS_HOME"]),
    )
    return app
