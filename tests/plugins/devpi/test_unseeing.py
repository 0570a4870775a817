"""Who may upload to a closed index, or change it, and may not read it: its configuration alone."""

from __future__ import annotations

from itertools import product
from typing import Any, Final

import pytest

from tests.plugins.devpi.apps import DevpiApp, upload_form, wheel_name
from tests.plugins.devpi.test_missing import ACCEPTED, AGENTS, addresses
from tests.wheelhouse import wheel_bytes

pytestmark = pytest.mark.notransaction

INDEX: Final = "acme/priv"
NAME: Final = "hidden-lib"
SPELLINGS: Final = (NAME, "hidden_lib", "hidden.lib")


@pytest.fixture
def acme(full_devpi: DevpiApp) -> DevpiApp:
    full_devpi.user("robot")
    full_devpi.closed_index(INDEX, bases=[], volatile=True, acl_upload=["acme", "robot"])
    full_devpi.upload(INDEX, NAME, "7.8.9")
    full_devpi.login("robot")
    return full_devpi


def shows(answer: Any) -> bool:  # noqa: ANN401 - webtest has no types
    return any(name in answer.text for name in (*SPELLINGS, "7.8.9"))


def test_no_view_shows_what_is_in_the_index(acme: DevpiApp) -> None:
    configured = 0
    paths = [path.format(index="priv") for path in addresses(acme)]
    paths = [path.replace("acme-core", NAME).replace("acme_core", "hidden_lib") for path in paths]
    for path, accept, agent, method in product(
        [*paths, f"/{INDEX}?no_projects=", "/acme/priv/?x=1"], ACCEPTED, AGENTS, ("GET", "HEAD")
    ):
        answer = acme.request(method, path, None, Accept=accept, User_Agent=agent)
        for _ in range(3):
            if answer.status_code not in {301, 302, 303, 307, 308}:
                break
            answer = acme.get(
                answer.location.removeprefix("http://localhost"), Accept=accept, User_Agent=agent
            )
        assert not shows(answer), (method, path, accept)
        if answer.status_code == 200 and method == "GET" and "+api" not in path:
            configured += 1
            assert answer.content_type == "application/json"
            assert answer.json["type"] == "indexconfig"
            assert answer.json["result"]["acl_upload"] == ["acme", "robot"]
            assert not answer.json["result"].get("projects")
    assert configured


def test_no_method_makes_a_page_of_a_change(acme: DevpiApp) -> None:
    """Devpi's pages answer whatever method they are asked with."""
    simple = f"/{INDEX}/+simple"
    pages = (simple, f"{simple}/", f"{simple}/{NAME}", f"{simple}/{NAME}/")
    methods = ("PUT", "PATCH", "DELETE", "POST", "OPTIONS")
    for path, method, accept, agent in product(pages, methods, ACCEPTED, AGENTS):
        answer = acme.request(method, path, None, Accept=accept, User_Agent=agent)
        assert answer.status_code in {403, 404, 405}, (method, path)
        assert not shows(answer), (method, path)


def test_what_is_sent_to_an_index_tells_nothing(acme: DevpiApp) -> None:
    search = (
        b"<methodCall><methodName>search</methodName><params><param><value><struct/></value>"
        b"</param></params></methodCall>"
    )
    push = {"name": NAME, "version": "7.8.9", "targetindex": "robot/dev"}
    for path in (f"/{INDEX}", f"/{INDEX}/"):
        for method in ("POST",):
            answer = acme.testapp._gen_request(
                method,
                path,
                params=search,
                headers={"Content-Type": "text/xml"},
                expect_errors=True,
            )
            assert answer.status_code == 403
            for name in (NAME, "never-was"):
                answer = acme.testapp._gen_request(
                    method,
                    path,
                    params=(str(push | {"name": name}).replace("'", '"')).encode(),
                    headers={"Content-Type": "application/json"},
                    expect_errors=True,
                )
                assert answer.status_code == 403
                assert not shows(answer)
    answer = acme.request("POST", f"/{INDEX}/+simple/{NAME}/refresh")
    assert answer.status_code == 403


def test_uploading_goes_on(acme: DevpiApp) -> None:
    name, data = wheel_name("robots", "1.0"), wheel_bytes("robots", "1.0")
    answer = acme.testapp.post(f"/{INDEX}/", upload_form("robots", "1.0", name, data))
    assert answer.status_code == 200
    acme.logout()
    assert acme.path_of(INDEX, "robots", name)
    acme.login("acme")
    assert acme.projects(INDEX) == [NAME, "robots"]
    answer = acme.get(f"/{INDEX}", Accept="application/json")
    assert answer.json["result"]["projects"] == [NAME, "robots"]


def test_whoever_may_change_an_index_goes_on_doing_so(acme: DevpiApp) -> None:
    acme.logout()
    acme.configure(INDEX, acl_pkg_read=["robot"])
    acme.login("acme")
    answer = acme.get(f"/{INDEX}", Accept="application/json")
    assert "projects" not in answer.json["result"] or not answer.json["result"]["projects"]
    assert acme.get(f"/{INDEX}", Accept="text/html").content_type == "application/json"
    acme.testapp.patch_json(f"/{INDEX}", ["title=Ours"])
    assert acme.get(f"/{INDEX}", Accept="application/json").json["result"]["title"] == "Ours"
    assert acme.get(f"/{INDEX}/{NAME}", Accept="application/json").status_code == 403
