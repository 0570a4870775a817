"""Which authorities our own requests to other servers trust."""

import os
import ssl
from typing import Final

__all__ = ["HOW_TO_TRUST", "client_context"]

HOW_TO_TRUST: Final = (
    "For a certificate of your own authority, name the file of that one in SSL_CERT_FILE or"
    " REQUESTS_CA_BUNDLE."
)


def client_context() -> ssl.SSLContext:
    """A context that verifies, by the authorities of the system or of the environment.

    ``REQUESTS_CA_BUNDLE``, a file or a directory, takes the place of the system's, as in the
    clients that are made with Requests; ``SSL_CERT_FILE`` and ``SSL_CERT_DIR`` are OpenSSL's own.

    Raises:
        OSError: when what is named there cannot be read.
    """
    bundle = os.environ.get("REQUESTS_CA_BUNDLE", "")
    if not bundle:
        return ssl.create_default_context()
    if os.path.isdir(bundle):  # noqa: PTH112 - a string, as OpenSSL takes it
        return ssl.create_default_context(capath=bundle)
    return ssl.create_default_context(cafile=bundle)
