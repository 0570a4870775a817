"""A name that is the vendor's never comes from a mirror, whatever a token sees of it.

The mirrored server stands in for the public index: somebody registered the vendor's names there,
in a higher version.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from tests.functional import devpis
from tests.functional.devpi_vendor import INDEX, DevpiVendor
from tests.functional.devpi_verbs import Devpi
from tests.functional.vendors import Client
from tests.wheelhouse import build_wheel

JSON: Final = {"Accept": "application/vnd.pypi.simple.v1+json"}
OPEN: Final = "acme/open"
"""An index whose ``mirror_whitelist`` lets everything come from mirrors."""

QUERIES: Final = {
    "everything": None,
    "few": "name:^lab-foo$ OR name:^acme-core$",
    "but one": "NOT name:^acme-util$",
    "old ones": "version:<5",
}
VENDORS: Final = ("acme-core", "acme-util", "acme-gone", "acme-closed", "acme-next", "acme-exact")
"""Has, has, had, has where the token does not see it, and reserves: by a beginning and by name."""

BASES: Final = ("acme-deleted", "acme-taken-out", "acme-beside")
"""Projects of a base that is deleted, of one that is taken out, and of an index that is no base."""

ASKED_ONCE: Final = ("acme-never", "lab-asked")
"""One that is reserved, and one that is not; no other test asks for either."""


@dataclass(frozen=True)
class Shop:
    """The public index, the vendor's server and the secrets of its customers, by their query."""

    vendor: DevpiVendor
    upstream: Devpi
    server: Devpi
    secrets: dict[str, str]

    def files(self, index: str, customer: str, project: str) -> set[str] | None:
        """What a customer is shown of a project; None is nothing at all."""
        path = f"/+t/{self.secrets[customer]}/{index}/+simple/{project}/"
        answer = self.server.get(path, headers=JSON)
        if answer.status_code == 404:
            return None
        assert answer.status_code == 200, answer.text
        return {file["filename"] for file in answer.json()["files"]}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    root = tmp_path_factory.mktemp("names")
    vendor, wheels = DevpiVendor(root), root / "wheels"
    theirs = [
        build_wheel(wheels, name, "9.0") for name in (*VENDORS, *BASES, *ASKED_ONCE, "lab-foo")
    ]
    theirs.append(build_wheel(wheels, "lab-foo", "1.0"))
    own = [build_wheel(wheels, name, "1.0") for name in VENDORS[:3]]
    own[0] = build_wheel(wheels, "acme-core", "1.0", requires=["acme-util", "lab-foo"])
    closed = build_wheel(wheels, "acme-closed", "1.0")
    (root / "upstream").mkdir()
    plain = devpis.OTHERS + devpis.BARE
    with (
        devpis.running(root / "upstream", "--enable-core-metadata", without=plain) as upstream,
        vendor.serving(without=devpis.WEB) as server,
    ):
        upstream.index("them/all", bases=[])
        upstream.upload("them/all", *theirs)
        server.index(
            "acme/them",
            type="mirror",
            mirror_url=upstream.index_url("them/all"),
            mirror_provides_core_metadata=True,
        )
        for index in (INDEX, OPEN):
            server.index(
                index,
                bases=["acme/them"],
                acl_pkg_read=["acme"],
                mirror_whitelist=["*"] if index == OPEN else [],
            )
            server.upload(index, *own)
            gone = server.request("DELETE", f"/{index}/acme-gone", "acme")
            assert gone.status_code == 200, gone.text
        ids = {
            name: vendor.token(name, query, repositories=(INDEX, OPEN))
            for name, query in QUERIES.items()
        }
        for issued in ids.values():
            ended = vendor.entitlements("token", "regrant", issued.token.identifier)
            assert ended.status == 0, ended.text
        # A base that came later, and is open to nobody: no token sees it.
        server.index("acme/closed", bases=[], acl_pkg_read=["root"])
        server.upload("acme/closed", closed)
        for index in (INDEX, OPEN):
            answer = server.request(
                "PATCH", f"/{index}", "acme", json=["bases=acme/them,acme/closed"]
            )
            assert answer.status_code == 200, answer.text
            ended = vendor.entitlements("repo", "reserve", index, "acme-n*", "acme-exact")
            assert ended.status == 0, ended.text
        secrets = {name: issued.secret or "" for name, issued in ids.items()}
        yield Shop(vendor, upstream, server, secrets)


@pytest.mark.parametrize("index", [INDEX, OPEN])
@pytest.mark.parametrize("customer", QUERIES)
@pytest.mark.parametrize("project", VENDORS)
def test_no_mirror_answers_for_a_name_of_the_vendors(
    shop: Shop, index: str, customer: str, project: str
) -> None:
    sees = customer != "few" and not (customer == "but one" and project == "acme-util")
    name = project.replace("-", "_")
    has = project in VENDORS[:2] and (sees or project == "acme-core")

    assert shop.files(index, customer, project) == (
        {f"{name}-1.0-py3-none-any.whl"} if has else None
    )


@pytest.mark.parametrize("index", [INDEX, OPEN])
def test_other_names_come_from_the_mirror(shop: Shop, index: str) -> None:
    for customer in QUERIES:
        found = shop.files(index, customer, "lab-foo")
        assert found is not None
        assert "lab_foo-1.0-py3-none-any.whl" in found


@pytest.mark.parametrize("project", VENDORS)
def test_files_of_the_mirror_are_not_sent_by_its_own_address(shop: Shop, project: str) -> None:
    headers = shop.server.logins["acme"]
    [path] = shop.server.files_of("acme/them", project, headers=headers).values()
    other = next(
        path
        for name, path in shop.server.files_of("acme/them", "lab-foo", headers=headers).items()
        if "1.0" in name
    )
    for customer, secret in shop.secrets.items():
        for suffix in ("", ".metadata"):
            answer = shop.server.get(f"/+t/{secret}{path}{suffix}")
            assert answer.status_code == 404, (customer, project)
        assert shop.server.get(f"/+t/{secret}{other}").status_code == 200, customer


@pytest.mark.parametrize("index", [INDEX, OPEN])
def test_an_installer_gets_the_vendors_dependency(
    shop: Shop, pip: Client, tmp_path: Path, index: str
) -> None:
    ended = pip.install(
        "acme-core", shop.server.index_url(index, shop.secrets["everything"]), tmp_path
    )

    assert ended.status == 0, ended.text
    assert (tmp_path / "acme_util-1.0.dist-info").is_dir()
    assert (tmp_path / "lab_foo-9.0.dist-info").is_dir()


def test_the_doctor_names_what_an_index_opens(shop: Shop) -> None:
    ended = shop.vendor.entitlements("doctor", "--json")
    checks = json.loads(ended.text[ended.text.index("{") :])["checks"]
    [found] = [one for one in checks if one["check"] == "devpi mirrors"]
    assert found["status"] == "warning"
    assert found["detail"].startswith(f"mirror_whitelist of {OPEN} lets mirrors answer for every")

    for listed, said in ((["lab-foo"], ""), (["lab-foo", "acme_gone"], "acme-gone")):
        answer = shop.server.request(
            "PATCH", f"/{OPEN}", "acme", json=[f"mirror_whitelist={','.join(listed)}"]
        )
        assert answer.status_code == 200, answer.text
        ended = shop.vendor.entitlements("doctor", "--json")
        checks = json.loads(ended.text[ended.text.index("{") :])["checks"]
        [found] = [one for one in checks if one["check"] == "devpi mirrors"]
        assert found["status"] == ("warning" if said else "ok")
        assert said in found["detail"]
    answer = shop.server.request("PATCH", f"/{OPEN}", "acme", json=["mirror_whitelist=*"])
    assert answer.status_code == 200, answer.text


def test_nobody_makes_the_mirror_ask_for_a_name_of_the_vendors(shop: Shop) -> None:
    reserved, other = ASKED_ONCE
    assert shop.files(OPEN, "everything", reserved) is None
    assert shop.files(OPEN, "everything", other) == {"lab_asked-9.0-py3-none-any.whl"}

    assert f"/+simple/{reserved}" not in shop.upstream.log
    assert f"/+simple/{other}" in shop.upstream.log


def test_a_base_that_is_gone_leaves_its_names_to_nobody(shop: Shop, tmp_path: Path) -> None:
    server, index = shop.server, "acme/late"
    for project in BASES:
        server.index(f"acme/{project}", bases=[], acl_pkg_read=["acme"])
        server.upload(f"acme/{project}", build_wheel(tmp_path, project, "1.0"))
    bases = [f"acme/{project}" for project in BASES[:2]]
    server.index(index, bases=[*bases, "acme/them"], acl_pkg_read=["acme"])
    issued = shop.vendor.token("late", repositories=(index,))
    assert shop.vendor.entitlements("token", "regrant", issued.token.identifier).status == 0
    shop.secrets["late"] = issued.secret or ""
    assert shop.files(index, "late", BASES[0]) == {"acme_deleted-1.0-py3-none-any.whl"}

    answer = server.request("PATCH", f"/{index}", "acme", json=[f"bases={bases[0]},acme/them"])
    assert answer.status_code == 200, answer.text
    # One deletion after the other, so that what is remembered of the user has to be read on.
    for gone in (bases[1], bases[0]):
        assert [shop.files(index, "late", project) for project in BASES[1:]] == [None, None]
        assert server.request("DELETE", f"/{gone}", "acme").status_code == 201
    assert [shop.files(index, "late", project) for project in BASES] == [None, None, None]
    found = shop.files(index, "late", "lab-foo")
    assert found == {"lab_foo-1.0-py3-none-any.whl", "lab_foo-9.0-py3-none-any.whl"}
