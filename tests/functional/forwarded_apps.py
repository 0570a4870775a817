"""The Flask extension and the ASGI wrapper with the settings of the environment."""

from __future__ import annotations

from flask import Flask
from starlette.applications import Starlette

from flask_static_entitlements import Entitlements, EntitlementsASGI


def flask_app() -> Flask:
    """A Flask app that serves what the environment names."""
    app = Flask("vendor")
    Entitlements(app)
    return app


def asgi_app() -> EntitlementsASGI:
    """An ASGI app that serves what the environment names."""
    return EntitlementsASGI(Starlette())
