"""A devpi-server in this process with our plugin in it: from users to requests."""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from webtest import Upload

from entitlements_core.errors import Conflict
from entitlements_core.policy.credential import Access
from entitlements_core.policy.token import TokenGrant
from entitlements_core.services.core import Core
from entitlements_core.services.token_issuer import Issued
from tests.actors import person
from tests.wheelhouse import sdist_bytes, wheel_bytes

__all__ = [
    "JSON_PAGE",
    "PASSWORD",
    "UPSTREAM",
    "DevpiApp",
    "basic",
    "bearer",
    "upload_form",
    "wheel_name",
]

PASSWORD: Final = "123"
UPSTREAM: Final = "https://upstream.example"
JSON_PAGE: Final = {"Accept": "application/vnd.pypi.simple.v1+json"}


def wheel_name(name: str, version: str) -> str:
    """The file name of a wheel of ``tests.wheelhouse``."""
    return f"{name.replace('-', '_')}-{version}-py3-none-any.whl"


def basic(user: str, password: str) -> dict[str, str]:
    """The header of basic auth."""
    token = base64.b64encode(f"{user}:{password}".encode()).decode()
    return {"Authorization": f"Basic {token}"}


def bearer(secret: str) -> dict[str, str]:
    """The header of a bearer token."""
    return {"Authorization": f"Bearer {secret}"}


def upload_form(
    project: str, version: str, filename: str, data: bytes, *metadata: tuple[str, str]
) -> list[tuple[str, Any]]:
    """The fields of an upload, as twine sends them."""
    return [
        (":action", "file_upload"),
        ("name", project),
        ("version", version),
        ("content", Upload(filename, data)),
        *metadata,
    ]


@dataclass
class DevpiApp:
    """An application of devpi-server, and the store that our plugin in it reads.

    Attributes:
        xom: devpi's server object.
        testapp: devpi's WebTest application; it logs in by ``X-Devpi-Auth``.
        mapp: devpi's verbs over `testapp`: users, indexes, uploads, logins.
        core: the services over the store.
    """

    xom: Any
    testapp: Any
    mapp: Any
    core: Core

    def user(self, name: str) -> None:
        """Make a user; the password is `PASSWORD`. Nobody is logged in afterwards."""
        self.login("root")
        self.mapp.create_user(name, PASSWORD)
        self.logout()

    def login(self, name: str) -> None:
        """Log in a user of `user`, or root."""
        self.mapp.login(name, "" if name == "root" else PASSWORD)

    def logout(self) -> None:
        """Be nobody."""
        self.mapp.logout()

    def index(self, name: str, **configuration: object) -> None:
        """Make an index as its user, who is made when there is none; it is a repository too."""
        user = name.partition("/")[0]
        self._as(user)
        self.mapp.create_index(name, configuration, use=False)
        self.logout()
        with contextlib.suppress(Conflict):
            self.core.repositories.add(name, actor=person("test"))

    def closed_index(self, name: str, **configuration: object) -> None:
        """Make an index that only its user may read."""
        user = name.partition("/")[0]
        self.index(name, acl_pkg_read=[user], **configuration)

    def configure(self, name: str, **configuration: object) -> None:
        """Change some keys of an index's configuration."""
        self._as(name.partition("/")[0])
        operations = [f"{key}={_spelled(value)}" for key, value in configuration.items()]
        self.testapp.patch_json(f"/{name}", operations)
        self.logout()

    def upload(self, index: str, project: str, version: str, **metadata: Any) -> str:  # noqa: ANN401 - see wheel_bytes
        """Upload a wheel; gives the path of the file (``/user/index/+f/…``)."""
        data = wheel_bytes(project, version, **metadata)
        return self.upload_file(index, project, version, wheel_name(project, version), data)

    def upload_sdist(self, index: str, project: str, version: str, **metadata: Any) -> str:  # noqa: ANN401 - see sdist_bytes
        """Upload a sdist; gives the path of the file."""
        data = sdist_bytes(project, version, **metadata)
        filename = f"{project.replace('-', '_')}-{version}.tar.gz"
        return self.upload_file(index, project, version, filename, data)

    def upload_file(
        self,
        index: str,
        project: str,
        version: str,
        filename: str,
        data: bytes,
        *metadata: tuple[str, str],
    ) -> str:
        """Upload any bytes as the index's user, with more fields of the form if need be."""
        self._as(index.partition("/")[0])
        fields = upload_form(project, version, filename, data, *metadata)
        answer = self.testapp.post(f"/{index}/", fields)
        assert answer.status_code == 200, answer.text
        self.logout()
        return self.path_of(index, project, filename)

    def mirror(self, name: str, pages: Mapping[str, str], **configuration: object) -> None:
        """Make an index that mirrors `UPSTREAM`, which has these projects' pages (HTML)."""
        self.index(name, type="mirror", mirror_url=f"{UPSTREAM}/simple/", **configuration)
        links = "".join(f'<a href="{project}/">{project}</a>' for project in pages)
        self.xom.http.mockresponse(f"{UPSTREAM}/simple/", text=links)
        for project, text in pages.items():
            self.xom.http.mockresponse(f"{UPSTREAM}/simple/{project}/", text=text)

    def upstream_file(self, path: str, data: bytes, **headers: object) -> None:
        """Let the upstream server have a file, for all times it is asked for."""
        given = {"content-length": len(data), **headers}
        self.xom.http.mockresponse(f"{UPSTREAM}/{path}", content=data, headers=given)

    def path_of(self, index: str, project: str, filename: str) -> str:
        """Where a file is, as devpi's model knows it."""
        with self.xom.keyfs.read_transaction():
            stage = self.xom.model.getstage(index)
            links = stage.get_releaselinks(project)
            [entry] = [link for link in links if link.basename == filename]
            return "/" + str(entry.entrypath).partition("#")[0]

    def token(
        self,
        *repositories: str,
        query: str | None = None,
        access: Access = Access.READ,
        name: str = "customer",
        **terms: Any,  # noqa: ANN401 - any term
    ) -> str:
        """Make a token that opens the repositories; gives its secret."""
        issued = self.issue(repositories, query=query, access=access, name=name, **terms)
        assert issued.secret is not None
        return issued.secret

    def issue(
        self,
        repositories: Sequence[str],
        *,
        query: str | None = None,
        access: Access = Access.READ,
        name: str = "customer",
        **terms: Any,  # noqa: ANN401 - any term
    ) -> Issued:
        """Make a token, and give all that is known of it."""
        grants = [
            TokenGrant(repository=repository, limit_package_query=query, access=access)
            for repository in repositories
        ]
        return self.core.lifecycle.create(name, grants, actor=person("test"), **terms)

    def downloads(self, issued: Issued, now: datetime) -> int:
        """What is counted of a token."""
        return self.core.lifecycle.read(issued.token.identifier).usage_at(now).downloads

    def get(self, path: str, secret: str | None = None, **headers: str) -> Any:  # noqa: ANN401 - webtest has no types
        """GET without following redirects; with `secret`, through the path of the token.

        Header names are given with underscores.
        """
        return self.request("GET", path, secret, **headers)

    def request(self, method: str, path: str, secret: str | None = None, **headers: str) -> Any:  # noqa: ANN401 - webtest has no types
        """Any request of a method without a body, as whoever is logged in."""
        prefix = "" if secret is None else f"/+t/{secret}"
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.testapp._gen_request(method, prefix + path, headers=named, expect_errors=True)

    def projects(self, index: str, secret: str | None = None, **headers: str) -> list[str]:
        """The projects in the list of an index, sorted."""
        answer = self.get(f"/{index}/+simple/", secret, **{**JSON_PAGE, **headers})
        assert answer.status_code == 200, answer.text
        return sorted(project["name"] for project in answer.json["projects"])

    def files(
        self, index: str, project: str, secret: str | None = None, **headers: str
    ) -> list[str]:
        """The files on the page of a project, sorted; empty when there is no page."""
        answer = self.get(f"/{index}/+simple/{project}/", secret, **{**JSON_PAGE, **headers})
        if answer.status_code == 404:
            return []
        assert answer.status_code == 200, answer.text
        return sorted(file["filename"] for file in answer.json["files"])

    def _as(self, user: str) -> None:
        with self.xom.keyfs.read_transaction():
            known = self.xom.model.get_user(user) is not None
        if not known:
            self.user(user)
        self.login(user)


def _spelled(value: object) -> str:
    """A value as ``devpi index`` sends it."""
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
