"""Every host as a customer finds it: at the root of its name and below a path, behind nginx."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from entitlements_core.policy.credential import Access
from entitlements_core.policy.token import TokenGrant
from entitlements_core.services.token_issuer import Issued
from tests.actors import person
from tests.functional import nginx
from tests.functional.devpi_vendor import INDEX, DevpiVendor, ended
from tests.functional.launching import launched
from tests.functional.public_index import PublicIndex, public_index
from tests.functional.pypiservers import FORMS, serving
from tests.functional.snippet_projects import Machine
from tests.functional.vendors import REPOSITORY, Vendor, clean_environment
from tests.wheelhouse import build_wheel

__all__ = ["HOSTS", "Market", "Markets", "Shop", "opened"]

HOSTS: Final = (
    *("serve", "serve below a path"),
    *("flask", "flask mounted", "flask below a path", "flask mounted below a path"),
    *("pypiserver", "pypiserver below a path"),
    *("devpi", "devpi below a path"),
)
"""``below a path``: behind nginx, at ``/pkgs``; ``mounted``: the app has two repositories."""
SHOWN: Final = "name:^acme-app$ OR name:^acme-tool$ OR name:^acme-util$"

_APP: Final = """
from flask import Flask
from flask_static_entitlements import Entitlements

app = Flask("vendor")
Entitlements(app, create_repositories=True, {options})
"""


@dataclass(frozen=True)
class Shop:
    """A vendor's index.

    Attributes:
        host: of `HOSTS`.
        url: that customers are given.
        words: what ``entitlements snippets`` is told of it.
        home: of the store.
        packages: the directory of its files.
        customer: the token of somebody who sees all but acme-hidden.
        publisher: a token that uploads.
        disabled: the same as that of the customer, but disabled.
    """

    host: str
    url: str
    words: tuple[str, ...]
    home: Path
    packages: Path
    customer: Issued
    publisher: Issued
    disabled: Issued


def files(directory: Path) -> list[Path]:
    """The vendor's distributions."""
    return [
        build_wheel(directory, "acme-app", "1.0", requires=["acme-util", "public-lib"]),
        build_wheel(directory, "acme-tool", "1.0", requires=["acme-util"]),
        build_wheel(directory, "acme-util", "1.0"),
        build_wheel(directory, "acme-hidden", "1.0"),
    ]


@contextmanager
def opened(root: Path, host: str, upstream: str = "") -> Iterator[Shop]:
    """Start a host of `HOSTS`, with an upstream or without."""
    kind = host.split(maxsplit=1)[0]
    words: tuple[str, ...] = ("--host", kind)
    with ExitStack() as stack:
        if kind == "devpi":
            vendor = DevpiVendor(root)
            tokens = (
                vendor.token("customer", SHOWN),
                vendor.token("publisher", access=Access.WRITE),
                vendor.token("disabled", SHOWN, enabled=False),
            )
            server = stack.enter_context(vendor.serving())
            server.index(INDEX, bases=[], acl_pkg_read=["acme"])
            server.upload(INDEX, *files(root / "packages"))
            home, url, packages = vendor.home, server.url, root / "packages"
        else:
            shop = Vendor(root)
            home, packages = shop.home, shop.packages
            files(packages)
            tokens = (
                shop.token("customer", SHOWN),
                _publisher(shop),
                shop.token("disabled", SHOWN, enabled=False),
            )
            shop.core.close()
            url = stack.enter_context(_serving(shop, host, upstream))
            if "mounted" in host:
                words = (*words, "--mount", REPOSITORY)
            elif kind == "flask":
                words = (*words, "--mount", "")
        if "below a path" in host:
            url = f"{stack.enter_context(_behind(root / 'nginx', url))}/pkgs"
        yield Shop(host, url, words, home, packages, *tokens)


@dataclass(frozen=True)
class Market:
    """The vendor's index and a stand-in for the public one, which has all names in a version 9.0.

    Attributes:
        has_upstream: the vendor's index sends clients on to the public one.
    """

    shop: Shop
    public: PublicIndex
    has_upstream: bool

    def customer(self, root: Path, token: Issued | None = None) -> Machine:
        """A customer's machine; with the customer's own token unless another one is given."""
        # A variable outweighs the default index of a project, so with an upstream there is none.
        environment = {} if self.has_upstream else {"UV_DEFAULT_INDEX": self.public.url}
        secret = (token or self.shop.customer).secret or ""
        return Machine(root, secret, self.public.url, environment=environment)

    def printed(self, *words: str) -> Any:  # noqa: ANN401 - whatever JSON holds
        """What ``entitlements snippets`` prints for the customer, as one document."""
        shop = self.shop
        upstream = "--upstream" if self.has_upstream else "--no-upstream"
        command = [sys.executable, "-m", "entitlements_core.cli", "--home", str(shop.home)]
        command += ["snippets", shop.customer.token.identifier, "--url", shop.url, *shop.words]
        command += ["--dir", str(shop.packages), "--json", upstream, *words]
        done = ended(command)
        assert done.status == 0, done.text
        return json.loads(done.text)


class Markets:
    """Markets, of which one is open at a time; the same one is not opened twice in a row."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._stack = ExitStack()
        self._kind: tuple[str, bool] | None = None
        self._market: Market | None = None
        self._count = 0

    def open(self, host: str, *, upstream: bool) -> Market:
        """The market of a host of `HOSTS`."""
        if self._market is None or self._kind != (host, upstream):
            self.close()
            self._count += 1
            root = self._root / str(self._count)
            for name in ("acme-app", "acme-tool", "acme-util", "acme-hidden", "public-lib"):
                build_wheel(root / "public", name, "9.0")
            (root / "vendor").mkdir()
            public = self._stack.enter_context(public_index(root / "public"))
            shop = self._stack.enter_context(
                opened(root / "vendor", host, public.url if upstream else "")
            )
            self._kind, self._market = (host, upstream), Market(shop, public, upstream)
        return self._market

    def close(self) -> None:
        """End its servers."""
        self._stack.close()
        self._market = None


def _publisher(shop: Vendor) -> Issued:
    grant = TokenGrant(repository=REPOSITORY, access=Access.WRITE)
    return shop.core.lifecycle.create("publisher", [grant], actor=person("test"))


@contextmanager
def _serving(shop: Vendor, host: str, upstream: str) -> Iterator[str]:
    if host.startswith("serve"):
        with shop.serving(*(["--upstream", upstream] if upstream else [])) as running:
            yield running.url
    elif host.startswith("pypiserver"):
        fallback = ["--fallback-url", upstream] if upstream else ["--disable-fallback"]
        with serving(shop, FORMS[0], *fallback) as server:
            yield server.url
    else:
        with _flask(shop, upstream, mounted="mounted" in host) as url:
            yield url


@contextmanager
def _flask(shop: Vendor, upstream: str, *, mounted: bool) -> Iterator[str]:
    directories = [str(shop.packages)]
    if mounted:
        both = {name: {"directories": directories} for name in (REPOSITORY, "acme/beta")}
        options = f"repositories={both!r}"
    else:
        options = f"repository={REPOSITORY!r}, directories={directories!r}"
    (shop.root / "vendor_app.py").write_text(_APP.format(options=options))
    environment = clean_environment(
        ENTITLEMENTS_HOME=str(shop.home),
        ENTITLEMENTS_UPSTREAM=upstream,
        PYTHONPATH=str(shop.root),
        PATH=os.environ["PATH"],
    )
    command = ["waitress-serve", "--listen=127.0.0.1:{port}", "vendor_app:app"]
    with launched(command, shop.root, environment, directory=shop.root) as url:
        yield url


@contextmanager
def _behind(root: Path, url: str) -> Iterator[str]:
    """A real nginx that has the server at ``/pkgs``."""
    locations = f"""
        location /pkgs/ {{
            proxy_pass {url}/;
            proxy_set_header Host $http_host;
            proxy_set_header X-outside-url $scheme://$http_host/pkgs;
        }}
    """
    with nginx.running(root, locations) as front:
        yield front
