"""Wheels as older tools, and careless ones, built them: what pip and uv take is in the index."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import product
from pathlib import Path
from typing import Final

import httpx
import pytest

from tests.functional.vendors import REPOSITORY, Client, Vendor, clean_environment
from tests.wheelhouse import build_wheel

NAMES: Final[Mapping[str, Callable[[str], str]]] = {
    "as it should be": lambda name: name.replace("-", "_"),
    "a dash kept": lambda name: name,
    "upper case": lambda name: name.replace("-", "_").upper(),
    "dots": lambda name: name.replace("-", "."),
    "two underscores": lambda name: name.replace("-", "__"),
    "nothing between": lambda name: name.replace("-", ""),
    "something before": lambda name: f"py_{name}",
    "something behind": lambda name: f"{name}_core",
    "blanks": lambda name: name.replace("-", " "),
}
VERSIONS: Final[Mapping[str, Callable[[str], str]]] = {
    "as it is": lambda version: version,
    "the plus as an underscore": lambda version: version.replace("+", "_"),
    "the plus as a dash": lambda version: version.replace("+", "-"),
    "without the local part": lambda version: version.partition("+")[0],
    "another zero": lambda version: version.replace("2.0", "2.0.0"),
    "with the tags": lambda version: f"{version}-py3-none-any",
    "another one": lambda _: "9.9",
    "none": lambda _: "",
}
SPELLINGS: Final = 24


def spelled(directory: Path) -> dict[str, str]:
    """Builds wheels of projects of their own; the spelling of each by its file name."""
    found = {}
    everything = list(product(NAMES, VERSIONS, ["2.0", "2.0+cu12.1"]))
    usual = [(name, "as it is", "2.0") for name in NAMES]
    usual += [("as it should be", version, "2.0+cu12.1") for version in VERSIONS]
    for number, (name, version, real) in enumerate(
        [*usual, *random.Random(8).sample(everything, SPELLINGS)]  # noqa: S311 - a table
    ):
        project = f"lab-p{number}"
        folder = f"{NAMES[name](project)}-{VERSIONS[version](real)}".rstrip("-")
        path = build_wheel(directory / project, project, real, folder=folder)
        found[path.name] = folder
    return found


def from_directory(client: Client, wheel: Path, scratch: Path) -> bool:
    """Whether a client installs a wheel that lies in a plain directory."""
    project = wheel.parent.name
    target = scratch / f"{client.name}-{project}"
    words = ["--no-index", "--find-links", str(wheel.parent), "--target", str(target), project]
    subprocess.run(
        [*client.command, *words],
        env=clean_environment(HOME=str(scratch), **client.environment),
        capture_output=True,
        timeout=120,
        check=False,
    )
    # pip trips over some names when it has installed and looks back: what counts is what it did.
    return (target / f"{project.replace('-', '_')}.py").exists()


@pytest.mark.timeout(300)
def test_what_installers_take_from_a_directory_they_find_in_the_index(
    vendor: Vendor, pip: Client, uv: Client, tmp_path: Path
) -> None:
    folders = spelled(vendor.packages)
    wheels = sorted(vendor.packages.rglob("*.whl"))
    token = vendor.token("all")

    def installs(path: Path) -> bool:
        return any(from_directory(client, path, tmp_path) for client in (uv, pip))

    with ThreadPoolExecutor(2) as pool:
        taken = {path for path, did in zip(wheels, pool.map(installs, wheels), strict=True) if did}
    with vendor.serving() as server:
        listed = httpx.get(server.with_basic(token.secret or "")).text
        served = {path for path in wheels if f'"{path.parent.name}/"' in listed}
        wrong = {path.name: folders[path.name] for path in taken ^ served}
        assert not wrong
        assert len(served) > SPELLINGS
        assert len(served) < len(wheels)
        for path in random.Random(3).sample(sorted(served), 5):  # noqa: S311 - a few of them
            project = path.parent.name
            ended = uv.install(project, server.with_basic(token.secret or ""), tmp_path / project)
            assert ended.status == 0, ended.text


@pytest.mark.clients
@pytest.mark.timeout(300)
def test_what_pip_cannot_look_at_once_it_is_installed_is_named(
    vendor: Vendor, pip: Client, uv: Client, tmp_path: Path
) -> None:
    spelled(vendor.packages)
    wheels = sorted(vendor.packages.rglob("*.whl"))
    vendor.token("all")

    def breaks(wheel: Path) -> bool | None:
        """Whether pip fails over what uv has installed; None where uv refuses it."""
        target = tmp_path / wheel.parent.name
        words = ["--no-index", "--no-deps", "--target", str(target)]
        told = clean_environment(HOME=str(tmp_path), **uv.environment)
        run = partial(subprocess.run, capture_output=True, timeout=120, check=False)
        if run([*uv.command, *words, str(wheel)], env=told).returncode:
            return None
        again = ["--no-index", "--dry-run", wheel.parent.name]
        there = told | {"PYTHONPATH": str(target)}
        return bool(run([*pip.command, *again], env=there).returncode)

    with ThreadPoolExecutor(2) as pool:
        found = dict(zip(wheels, pool.map(breaks, wheels), strict=True))
    words = ["--home", str(vendor.home), "doctor", str(vendor.packages), "--repo", REPOSITORY]
    doctor = subprocess.run(
        [sys.executable, "-m", "entitlements_core.cli", *words, "--json"],
        env=clean_environment(),
        capture_output=True,
        check=False,
        timeout=120,
    )
    said = [one["detail"] for one in json.loads(doctor.stdout)["checks"]]
    named = {Path(one.partition(": ")[0]) for one in said if "ends in no version" in one}
    assert named <= set(found)
    taken = {wheel: broken for wheel, broken in found.items() if broken is not None}
    assert {wheel for wheel, broken in taken.items() if broken} == named & set(taken)
    assert named
    assert len(taken) > len(named)


HEAD: Final = b"Metadata-Version: 2.1\nName: lab-foo\nVersion: 2.0\n"
NOT_UTF8: Final = {
    "latin-1 in the summary": HEAD + b"Summary: caf\xe9\n",
    "latin-1 in the description": HEAD + b"\ncaf\xe9\n",
    "a surrogate": HEAD + b"Author: \xed\xa0\x80\n",
    "an overlong NUL": HEAD + b"Author: \xc0\x80\n",
}
ODD_BUT_READ: Final = {
    "a NUL": HEAD + b"Summary: a\0b\n\n\0\n",
    "no Metadata-Version": HEAD.partition(b"\n")[2],
    "a Metadata-Version of the future": HEAD.replace(b"2.1", b"9.9"),
    "a Metadata-Version that is none": HEAD.replace(b"2.1", b"x"),
    "carriage returns": HEAD.replace(b"\n", b"\r\n"),
    "a line that is no header": HEAD + b"nonsense\nSummary: x\n",
    "a wrong extra": HEAD + b"Provides-Extra: ???\n",
}
OLD: Final = "1.0"


def projects_with(vendor: Vendor, cases: Mapping[str, bytes]) -> list[str]:
    """A project for each, with another version that is as it should be."""
    names = [f"lab-p{number}" for number in range(len(cases))]
    for name, metadata in zip(names, cases.values(), strict=True):
        named = metadata.replace(b"lab-foo", name.encode())
        build_wheel(vendor.packages / name, name, "2.0", metadata=named)
        build_wheel(vendor.packages / name, name, OLD)
    return names


def test_metadata_that_pip_cannot_decode_are_not_announced(
    vendor: Vendor, pip: Client, old_pip: Client, uv: Client, tmp_path: Path
) -> None:
    projects = projects_with(vendor, NOT_UTF8)
    token = vendor.token("all")
    with vendor.serving() as server:
        url = server.with_basic(token.secret or "")
        for project in projects:
            page = httpx.get(f"{url}{project}/").text
            assert page.count("data-dist-info-metadata") == page.count("data-core-metadata") == 1
            name = project.replace("-", "_")
            file = f"{url.removesuffix('simple/')}packages/{name}-2.0-py3-none-any.whl"
            assert httpx.get(f"{file}.metadata").status_code == 404
            assert httpx.head(file).status_code == 200
            for client in (pip, old_pip):
                ended = client.install(project, url, tmp_path / client.name / project)
                assert "Traceback" not in ended.text, ended.text
                assert project in ended.text
            wheel = vendor.packages / project / f"{name}-2.0-py3-none-any.whl"
            ended = uv.install(project, url, tmp_path / "uv" / project)
            # Only the newest takes it.
            assert (ended.status == 0) is from_directory(uv, wheel, tmp_path), ended.text
        ended = pip.install(f"{projects[0]}=={OLD}", url, tmp_path / "old")
        assert ended.status == 0, ended.text


@pytest.mark.clients
def test_other_odd_metadata_lead_to_the_same_with_and_without(
    vendor: Vendor, pip: Client, uv: Client, tmp_path: Path
) -> None:
    projects = projects_with(vendor, ODD_BUT_READ)
    token = vendor.token("all")
    with vendor.serving() as server:
        url = server.with_basic(token.secret or "")
        for project in projects:
            assert httpx.get(f"{url}{project}/").text.count("data-core-metadata") == 2
            wheel = vendor.packages / project / f"{project.replace('-', '_')}-2.0-py3-none-any.whl"
            for client in (pip, uv):
                ended = client.install(f"{project}==2.0", url, tmp_path / client.name / project)
                assert ended.status == 0, ended.text
                assert from_directory(client, wheel, tmp_path)
