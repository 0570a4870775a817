"""For the tests of an app: a client that carries a token."""

from __future__ import annotations

import contextlib
from base64 import b64encode
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from entitlements_core.errors import EntitlementsError
from flask_static_entitlements.constants import EXTENSION

__all__ = ["EntitlementsClient"]


class EntitlementsClient(FlaskClient):
    """A test client that sends a token with every request, as pip does.

    Its first request waits until the catalogs are built, which a server does in the background.

    ``app.test_client_class = EntitlementsClient``, then ``app.test_client(token=...)``. A header
    given with a request wins.

    Args:
        token: the secret, or None for none.
    """

    def __init__(self, *args: Any, token: str | None = None, **kwargs: Any) -> None:  # noqa: ANN401 - as Flask's
        super().__init__(*args, **kwargs)
        if token is not None:
            encoded = b64encode(f"token:{token}".encode()).decode()
            self.environ_base["HTTP_AUTHORIZATION"] = f"Basic {encoded}"

    def open(self, *args: Any, **kwargs: Any) -> TestResponse:  # noqa: ANN401 - as Flask's
        """Send a request."""
        site = self.application.extensions.get(EXTENSION)
        if site is not None:
            # What is wrong with the store is for the app to answer.
            with contextlib.suppress(EntitlementsError):
                site.settle()
        return super().open(*args, **kwargs)
