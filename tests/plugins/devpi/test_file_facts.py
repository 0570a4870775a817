"""What devpi knows of a file decides alike on the list, on the page and at the download."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from types import ModuleType
from typing import Final

import pytest
import time_machine
from packaging.utils import NormalizedName, canonicalize_name

from devpi_entitlements.file_facts import FileFactsReader, latest_version, resolved_links
from tests.actors import person
from tests.plugins.devpi.apps import UPSTREAM, DevpiApp, wheel_name
from tests.plugins.devpi.conftest import MakeDevpiApp
from tests.wheelhouse import sdist_bytes, wheel_bytes

pytestmark = pytest.mark.notransaction

LONG_AGO: Final = datetime(2020, 5, 1, tzinfo=UTC)

ONE: Final = "acme_core-1.0-py3-none-any.whl"
ONE_SDIST: Final = "acme_core-1.0.tar.gz"
TWO: Final = "acme_core-2.0-cp311-cp311-manylinux_2_17_x86_64.whl"
NEXT: Final = "acme_core-2.1rc1-py3-none-any.whl"
OLD: Final = "acme-tools-0.1.tar.gz"
TOOLS: Final = "acme_tools-0.2-py3-none-any.whl"
PLAIN: Final = "acme_plain-1.0-py3-none-any.whl"
ALL: Final = {ONE, ONE_SDIST, TWO, NEXT, OLD, TOOLS, PLAIN}


def fields(**values: str | list[str]) -> list[tuple[str, str]]:
    """The metadata fields of an upload's form."""
    return [
        (name, item)
        for name, value in values.items()
        for item in ([value] if isinstance(value, str) else value)
    ]


def stock(app: DevpiApp, index: str) -> dict[str, str]:
    """Upload `ALL`; gives the path of each."""
    found = {}

    def put(filename: str, version: str, data: bytes, **metadata: str | list[str]) -> None:
        project = canonicalize_name(filename.rsplit("-" + version, 1)[0])
        found[filename] = app.upload_file(
            index, project, version, filename, data, *fields(**metadata)
        )

    with time_machine.travel(LONG_AGO, tick=True):
        put(OLD, "0.1", sdist_bytes("acme-tools", "0.1", padding=5_000), summary="Tools")
    core: dict[str, str | list[str]] = {
        "license_expression": "MIT",
        "summary": "Core",
        "requires_dist": ["urllib3<2", 'attrs ; extra == "a"'],
        "requires_python": ">=3.8, <4",
    }
    put(ONE, "1.0", wheel_bytes("acme-core", "1.0"), **core)
    put(ONE_SDIST, "1.0", sdist_bytes("acme-core", "1.0"), **core)
    put(TWO, "2.0", wheel_bytes("acme-core", "2.0"), license="GPL-3.0", summary="Core")
    put(NEXT, "2.1rc1", wheel_bytes("acme-core", "2.1rc1"), summary="Core")
    put(TOOLS, "0.2", wheel_bytes("acme-tools", "0.2"), license="MIT\nand more")
    put(PLAIN, "1.0", wheel_bytes("acme-plain", "1.0"))  # nothing is stated of it
    return found


def opened(
    app: DevpiApp, index: str, files: Mapping[str, str], secret: str, *, listed: bool = True
) -> set[str]:
    """The files that a token opens; lists, pages, downloads and core metadata must agree.

    With `listed` false a project may be in the list though none of its files is shown.
    """
    projects = {project_of(name) for name in files}
    pages = {name: app.files(index, name, secret) for name in projects}
    shown = {file for page in pages.values() for file in page}
    listing = set(app.projects(index, secret)) & projects
    if listed:
        assert listing == {name for name, page in pages.items() if page}
    for name, path in files.items():
        for wanted in (path, f"{path}.metadata") if name.endswith(".whl") else (path,):
            answer = app.request("HEAD", wanted, secret)
            assert answer.status_code == (200 if name in shown else 404), (wanted, shown)
    return shown


def project_of(filename: str) -> str:
    """The normalised name of the project of one of the files here."""
    return "-".join(filename.replace("_", "-").split("-")[:2])


CORE: Final = {ONE, ONE_SDIST, TWO, NEXT}
CASES: Final = {
    "name:^acme-core$": CORE,
    "name:Acme_Tools": {OLD, TOOLS},
    "version:<2": {ONE, ONE_SDIST, OLD, TOOLS, PLAIN},
    "version:^2": {TWO, NEXT},
    "filename:.tar.gz$": {ONE_SDIST, OLD},
    "format:sdist": {ONE_SDIST, OLD},
    "type:binary": {ONE, TWO, NEXT, TOOLS, PLAIN},
    "python:^cp311$": {TWO},
    "NOT python:py3 format:wheel": {TWO},
    "architecture:x86_64": {TWO},
    "size:>4KB": {OLD},
    "NOT size:>4KB": ALL - {OLD},
    "uploaded:<2021-01-01": {OLD},
    "uploaded:>'1 week ago'": ALL - {OLD},
    "prerelease:true": {NEXT},
    "NOT prerelease:true name:core": {ONE, ONE_SDIST, TWO},
    "requires_python:>=3.8": {ONE, ONE_SDIST},
    "license:^mit": {ONE, ONE_SDIST, TOOLS},
    "license:GPL": {TWO},
    # What nothing is stated of is not known to be anything, nor not to be.
    "NOT license:GPL": ALL - {TWO, PLAIN},
    "license:GPL OR NOT license:GPL": ALL - {PLAIN},
    "dependency:urllib3": {ONE, ONE_SDIST},
    "dependency:urllib3>=3": set(),
    "NOT dependency:urllib3": {TWO, NEXT, OLD, TOOLS},
    "tag:latest": {TWO, TOOLS, PLAIN},
    "NOT tag:latest": {ONE, ONE_SDIST, NEXT, OLD},
    "yanked:true": set(),
    "yanked:false": ALL,
    "repository:^acme/priv$": ALL,
    "repository:^acme/other$": set(),
    "downloads:0": ALL,
    "tag:^stable$": {ONE, ONE_SDIST, NEXT},
    "name:nobody": set(),
}


def test_every_fact_decides_alike_everywhere(devpi: DevpiApp) -> None:
    devpi.closed_index("acme/priv", bases=[])
    files = stock(devpi, "acme/priv")
    tags = devpi.core.package_tags
    tags.add("acme/priv", "acme-core==1.0", ["stable"], actor=person("test"))
    tags.add("acme/priv", "acme-core==2.1rc1", ["stable"], actor=person("test"))

    everything = devpi.token("acme/priv")
    assert opened(devpi, "acme/priv", files, everything) == ALL
    for number, (query, wanted) in enumerate(CASES.items()):
        secret = devpi.token("acme/priv", query=query, name=f"customer {number}")
        assert opened(devpi, "acme/priv", files, secret) == wanted, query

    [digest] = hashes(devpi, everything, "acme-core", ONE)
    secret = devpi.token("acme/priv", query=f"checksum:^{digest}", name="by checksum")
    assert opened(devpi, "acme/priv", files, secret) == {ONE}

    frozen = devpi.token("acme/priv", name="frozen", updates_until=LONG_AGO + timedelta(days=1))
    assert opened(devpi, "acme/priv", files, frozen) == {OLD}

    assert devpi.get(files[ONE], everything).status_code == 200
    popular = devpi.token("acme/priv", query="downloads:>0", name="popular")
    assert opened(devpi, "acme/priv", files, popular) == {ONE}

    tags.remove("acme/priv", "acme-core==1.0", ["stable"], actor=person("test"))
    stable = devpi.token("acme/priv", query="tag:^stable$", name="stable")
    assert opened(devpi, "acme/priv", files, stable) == {NEXT}


def hashes(app: DevpiApp, secret: str, project: str, filename: str) -> list[str]:
    """The SHA-256 of a file as the page states it."""
    page = app.get(
        f"/acme/priv/+simple/{project}/", secret, Accept="application/vnd.pypi.simple.v1+json"
    )
    return [file["hashes"]["sha256"] for file in page.json["files"] if file["filename"] == filename]


def test_a_file_belongs_to_the_index_that_is_asked(devpi: DevpiApp) -> None:
    devpi.closed_index("acme/base", bases=[])
    devpi.closed_index("acme/cust", bases=["acme/base"])
    with time_machine.travel(LONG_AGO, tick=True):
        devpi.upload("acme/base", "acme-core", "1.0")
        devpi.upload("acme/base", "acme-core", "2.0")
    files = {name: devpi.path_of("acme/base", "acme-core", name) for name in names("1.0", "2.0")}
    for number, (query, wanted) in enumerate(
        {
            "repository:^acme/cust$": names("1.0", "2.0"),
            "repository:^acme/base$": [],
            "version:1.0": names("1.0"),
            "tag:latest": names("2.0"),
            "size:>1B": names("1.0", "2.0"),
        }.items()
    ):
        secret = devpi.token("acme/cust", query=query, name=f"customer {number}")
        assert opened(devpi, "acme/cust", files, secret) == set(wanted), query

    # A release of the inheriting index is the latest of both, and pushing is uploading anew.
    devpi.login("acme")
    devpi.mapp.push("acme-core", "1.0", "acme/cust", indexname="acme/base")
    devpi.logout()
    pushed = {
        wheel_name("acme-core", "1.0"): devpi.path_of("acme/cust", "acme-core", names("1.0")[0])
    }
    frozen = devpi.token("acme/cust", name="frozen", updates_until=LONG_AGO + timedelta(days=1))
    assert devpi.files("acme/cust", "acme-core", frozen) == names("1.0", "2.0")
    recent = devpi.token("acme/cust", query="uploaded:>2021-01-01", name="recent")
    assert opened(devpi, "acme/cust", pushed, recent) == set(names("1.0"))


def test_the_same_file_uploaded_again_is_no_new_release(devpi: DevpiApp) -> None:
    devpi.closed_index("acme/priv", bases=[], volatile=True)
    same, other = wheel_bytes("acme-core", "1.0"), wheel_bytes("acme-core", "1.0", padding=9)
    frozen = devpi.token("acme/priv", name="frozen", updates_until=LONG_AGO + timedelta(days=1))
    recent = devpi.token("acme/priv", query="uploaded:>2021-01-01", name="recent")

    def put(data: bytes) -> str:
        return devpi.upload_file("acme/priv", "acme-core", "1.0", ONE, data)

    def sees() -> tuple[list[str], list[str]]:
        return (
            devpi.files("acme/priv", "acme-core", frozen),
            devpi.files("acme/priv", "acme-core", recent),
        )

    with time_machine.travel(LONG_AGO, tick=True):
        path = put(same)
    for _ in range(2):
        assert put(same) == path
        assert sees() == ([ONE], [])
    put(other)
    assert sees() == ([], [ONE])
    assert put(same) == path
    assert sees() == ([ONE], [])
    devpi.login("acme")
    devpi.mapp.delete_project("acme-core/1.0", indexname="acme/priv")
    devpi.logout()
    assert put(same) == path
    assert sees() == ([ONE], [])


def names(*versions: str) -> list[str]:
    """The wheels of acme-core."""
    return [wheel_name("acme-core", version) for version in versions]


def test_only_release_files_of_known_names_are_served(devpi: DevpiApp) -> None:
    devpi.closed_index("acme/priv", bases=[])
    good = devpi.upload("acme/priv", "acme-core", "1.0")
    legacy = {
        name: devpi.upload_file("acme/priv", "acme.legacy", version, name, data)
        for name, version, data in (
            ("acme.legacy-1.0.zip", "1.0", zip_bytes()),
            ("acme_legacy-1.1.tar.gz", "1.1", sdist_bytes("acme-legacy", "1.1")),
            ("Acme.Legacy-1.2-py2.py3-none-any.whl", "1.2", wheel_bytes("acme-legacy", "1.2")),
        )
    }
    odd = [
        devpi.upload_file("acme/priv", "acme-core", "0.9", "acme_core-0.9-py3.7.egg", zip_bytes()),
        devpi.upload_file("acme/priv", "acme-core", "0.8", "acme-core-0.8.win32.exe", b"MZ"),
    ]
    devpi.login("acme")
    devpi.mapp.upload_doc("acme-core.zip", zip_bytes(), "acme-core", "1.0", indexname="acme/priv")
    result = json.dumps({"testenvs": {}})
    stored = devpi.testapp.post(good, result, headers={"Accept": "application/json"})
    devpi.logout()
    with devpi.xom.keyfs.read_transaction():
        stage = devpi.xom.model.getstage("acme/priv")
        store = stage.get_linkstore_perstage("acme-core", "1.0")
        odd += [f"/{link.relpath}" for link in store.get_links() if link.rel != "releasefile"]
    assert stored.status_code == 200
    assert len(odd) == 4, "a doc zip and a test result besides the egg and the installer"

    secret = devpi.token("acme/priv")
    assert devpi.files("acme/priv", "acme-core", secret) == [wheel_name("acme-core", "1.0")]
    for path in odd:
        for method in ("GET", "HEAD"):
            for suffix in ("", ".metadata"):
                assert devpi.request(method, path + suffix, secret).status_code == 404, path
    assert sorted(legacy) == devpi.files("acme/priv", "acme-legacy", secret)
    for path in legacy.values():
        assert devpi.get(path, secret).status_code == 200


def zip_bytes() -> bytes:
    """An archive with something in it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("index.html", "<p>x</p>")
    return buffer.getvalue()


def link(name: str, *, digest: str = "", **attributes: str) -> str:
    """A link as an upstream page has it."""
    stated = "".join(
        f' data-{key.replace("_", "-")}="{value}"' for key, value in attributes.items()
    )
    fragment = f"#{digest}" if digest else ""
    return f'<a href="{UPSTREAM}/files/{name}{fragment}"{stated}>{name}</a>'


def test_a_mirror_tells_little_and_what_it_does_not_tell_hides(devpi: DevpiApp) -> None:
    data = {version: wheel_bytes("lab-foo", version) for version in ("1.0", "2.0", "3.0")}
    files = {name: wheel_name("lab-foo", name) for name in data}
    one, two, three = files.values()
    digest = {version: hashlib.sha256(body).hexdigest() for version, body in data.items()}
    page = "\n".join(
        (
            link(one, digest=f"sha256={digest['1.0']}", requires_python="&gt;=3.8"),
            link(two, digest=f"sha256={digest['2.0']}", yanked="broken"),
            link(three),  # without a hash: a file below +e
        )
    )
    devpi.mirror("acme/up", {"lab-foo": page})
    devpi.closed_index("acme/cust", bases=["acme/up"])
    for version, body in data.items():
        devpi.upstream_file(f"files/{files[version]}", body)
    paths = {name: devpi.path_of("acme/up", "lab-foo", name) for name in files.values()}
    assert "/+e/" in paths[three]
    for number, (query, wanted) in enumerate(
        {
            "version:<3": {one, two},
            "version:3": {three},
            "yanked:true": {two},
            "NOT yanked:true": {one, three},
            "tag:latest": {three},
            "requires_python:>=3.8": {one},
            "NOT requires_python:>=3.8": set(),
            f"checksum:^{digest['2.0']}": {two},
            f"NOT checksum:^{digest['2.0']}": {one},
            "license:MIT": set(),
            "NOT license:MIT": set(),
            "NOT dependency:urllib3": set(),
            "uploaded:>2000-01-01": set(),
            "NOT uploaded:>2000-01-01": set(),
            "size:<1GB": set(),
            "NOT size:>1GB": set(),
        }.items()
    ):
        secret = devpi.token("acme/cust", query=query, name=f"customer {number}")
        assert set(devpi.files("acme/cust", "lab-foo", secret)) == wanted, query
        for name, path in paths.items():
            answer = devpi.request("HEAD", path, secret)
            assert answer.status_code == (200 if name in wanted else 404), (query, name)

    # Once a file was fetched, its size is known.
    everything = devpi.token("acme/cust", name="everything")
    assert devpi.get(paths[one], everything).body == data["1.0"]
    small = devpi.token("acme/cust", query="size:<1GB", name="small")
    assert devpi.files("acme/cust", "lab-foo", small) == [one]
    assert devpi.request("HEAD", paths[one], small).status_code == 200
    frozen = devpi.token("acme/cust", name="frozen", updates_until=datetime(2200, 1, 1, tzinfo=UTC))
    assert devpi.files("acme/cust", "lab-foo", frozen) == []
    assert devpi.get(paths[one], frozen).status_code == 404


def test_a_project_of_the_vendor_hides_its_namesake_upstream(devpi: DevpiApp) -> None:
    upstream = wheel_name("acme-core", "9.0")
    devpi.mirror("acme/up", {"acme-core": link(upstream), "lab-foo": "", "lab-bar": ""})
    devpi.closed_index("acme/cust", bases=["acme/up"])
    secret = devpi.token("acme/cust", query="name:acme-core OR name:lab-foo")
    devpi.upstream_file(f"files/{upstream}", wheel_bytes("acme-core", "9.0"))
    path = devpi.path_of("acme/up", "acme-core", upstream)
    assert devpi.files("acme/cust", "acme-core", secret) == [upstream]
    assert devpi.request("HEAD", path, secret).status_code == 200

    devpi.upload("acme/cust", "acme-core", "1.0")
    assert devpi.files("acme/cust", "acme-core", secret) == names("1.0")
    assert devpi.request("HEAD", path, secret).status_code == 404
    assert devpi.get(path, secret).status_code == 404
    assert devpi.projects("acme/cust", secret) == ["acme-core", "lab-foo"]
    hidden = devpi.token("acme/cust", query="name:acme-core version:9", name="hidden")
    assert devpi.projects("acme/cust", hidden) == []

    for whitelist in (["acme-core"], ["*"]):  # is for users of devpi, and no token's
        devpi.configure("acme/cust", mirror_whitelist=whitelist)
        assert devpi.files("acme/cust", "acme-core", secret) == names("1.0")
        assert devpi.request("HEAD", path, secret).status_code == 404
        assert devpi.projects("acme/cust", hidden) == []


def test_an_upstream_that_fails_shows_nothing(devpi: DevpiApp) -> None:
    devpi.mirror("acme/up", {"lab-foo": link(wheel_name("lab-foo", "1.0"))})
    devpi.closed_index("acme/cust", bases=["acme/up"])
    secret = devpi.token("acme/cust")
    assert devpi.projects("acme/up", devpi.token("acme/up", name="any")) == ["lab-foo"]
    latest = devpi.token("acme/up", query="tag:latest", name="latest")
    path = f"/acme/up/+e/upstream.example_files/{wheel_name('lab-foo', '1.0')}"
    for url in (f"{UPSTREAM}/simple/", f"{UPSTREAM}/simple/lab-foo/"):
        devpi.xom.http.mockresponse(url, code=503, text="")
    assert devpi.files("acme/cust", "lab-foo", secret) == []
    assert devpi.request("HEAD", path, secret).status_code == 404
    for given in (latest, devpi.token("acme/up", name="all")):
        answer = devpi.get("/acme/up/+simple/lab-foo/", given)
        assert (answer.status_code, answer.json["code"]) == (502, "index_unavailable")
        assert "upstream" not in answer.text
        assert devpi.get(path, given).status_code == 404
    with devpi.xom.keyfs.read_transaction():
        stage = devpi.xom.model.getstage("acme/up")
        assert resolved_links(stage, NormalizedName("lab-foo")) == []
        assert latest_version(stage, NormalizedName("lab-foo")) is None
        facts = FileFactsReader().listed(stage, NormalizedName("lab-foo"), path.strip("/"))
        assert facts is None


def test_the_constraint_of_an_index_holds_on_pages_and_files(
    make_devpi_app: MakeDevpiApp, other_plugins: list[ModuleType]
) -> None:
    [constrained] = [one for one in other_plugins if one.__name__ == "devpi_constrained.main"]
    app = make_devpi_app("--enable-core-metadata", plugins=[constrained])
    app.closed_index("acme/priv", bases=[])
    files = stock(app, "acme/priv")
    # Old spellings, which devpi-constrained compares by their names.
    for version in ("1.5", "2.5"):
        name = f"acme-core-{version}.tar.gz"
        data = sdist_bytes("acme-core", version)
        files[name] = app.upload_file("acme/priv", "acme-core", version, name, data)
    app.closed_index(
        "acme/cust", type="constrained", bases=["acme/priv"], constraints=["acme-core<2", "*"]
    )
    secret = app.token("acme/cust")
    shown = opened(app, "acme/cust", files, secret)
    assert "acme-core-1.5.tar.gz" in shown
    assert not shown & {"acme-core-2.5.tar.gz", OLD, TOOLS, PLAIN}
    assert app.projects("acme/cust", secret) == ["acme-core"]
    narrow = app.token("acme/cust", query="format:sdist version:>=1.5", name="narrow")
    assert opened(app, "acme/cust", files, narrow) == {"acme-core-1.5.tar.gz"}
