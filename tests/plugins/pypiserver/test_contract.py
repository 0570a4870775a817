"""What we rely on in pypiserver, each by name: an upgrade that changes one of these fails here."""

from __future__ import annotations

import inspect
import io
import threading
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import pypiserver
import pytest
from pypiserver import __main__ as command
from pypiserver import backend, bottle_wrapper, config
from pypiserver.core import PkgFile
from werkzeug.test import EnvironBuilder

from pypiserver_entitlements.pypiserver_api import NO_PASSWORDS, default_auther, is_own, read_form
from tests.plugins.pypiserver.conftest import upload, write_htpasswd


def parameters(function: Any) -> list[str]:  # noqa: ANN401 - pypiserver has no types
    return list(inspect.signature(function).parameters)


def test_the_seam_is_one_function_that_everything_calls() -> None:
    assert parameters(pypiserver.setup_routes_from_config) == ["app", "config"]
    for caller in (pypiserver.app, command.main):
        assert "setup_routes_from_config(" in inspect.getsource(caller)
    assert "pypiserver.setup_routes_from_config(app, config)" in inspect.getsource(command.main)
    assert "return app(**updated_conf)" in inspect.getsource(pypiserver.paste_app_factory)
    assert parameters(pypiserver.app_from_config) == ["config"]
    assert parameters(pypiserver.backwards_compat_kwargs) == ["kwargs", "warn"]


def test_the_command_reads_what_we_replace_after_the_seam() -> None:
    source = inspect.getsource(command.main)
    seam = source.index("setup_routes_from_config")

    assert seam < source.index("config.server_base_url")
    assert seam < source.index("server=config.server_method")
    assert source.index("init_logging(") < seam
    assert source.index("monkey.patch_all()") < seam


def test_there_is_no_other_way_in() -> None:
    scripts = {
        (point.group, point.name): point.value for point in distribution("pypiserver").entry_points
    }

    assert scripts == {
        ("console_scripts", "pypi-server"): "pypiserver.__main__:main",
        ("paste.app_factory", "main"): "pypiserver:paste_app_factory",
    }


def test_a_configuration_has_what_we_read_and_replace(tmp_path: Path) -> None:
    made = config.Config.default_with_overrides(roots=[tmp_path])

    for name in (
        "auther",
        "authenticate",
        "backend",
        "health_endpoint",
        "password_file",
        "roots",
        "server_base_url",
        "server_method",
    ):
        assert name in vars(made), name
    assert made.server_base_url == "/"
    assert made.health_endpoint == "/health"
    assert made.password_file in NO_PASSWORDS


def test_the_application_reads_backend_and_auther_anew_with_each_request() -> None:
    app = Path(inspect.getfile(pypiserver)).with_name("_app.py").read_text()

    assert "config.auther(*request.auth)" in app
    assert "config.backend." in app
    assert "= config.backend\n" not in app
    assert "= config.auther\n" not in app


def test_each_use_of_the_backend_is_one_that_the_guard_knows() -> None:
    assert set(backend.IBackend.__abstractmethods__) == {
        "add_package",
        "digest",
        "exists",
        "find_project_packages",
        "find_version",
        "get_all_packages",
        "get_projects",
        "package_count",
        "remove_package",
    }
    assert parameters(backend.IBackend.add_package) == ["self", "filename", "stream"]
    assert {"fn", "root", "relfn"} <= set(PkgFile.__slots__)


def test_the_two_backends_keep_files_in_their_roots(tmp_path: Path) -> None:
    made = config.Config.default_with_overrides(roots=[tmp_path], backend_arg="simple-dir")

    assert type(made.backend) is backend.BackendProxy
    assert type(made.backend.backend) is backend.SimpleFileBackend
    assert made.backend.backend.roots == [tmp_path]
    made.backend.backend.add_package(".hidden", io.BytesIO(b"x"))
    assert (tmp_path / ".hidden").read_bytes() == b"x"
    assert list(made.backend.get_all_packages()) == []
    assert issubclass(backend.CachingFileBackend, backend.SimpleFileBackend)


@pytest.mark.parametrize(
    ("options", "answer"),
    [({}, False), ({"password_file": ".", "authenticate": []}, True)],
)
def test_without_a_password_file_it_answers_all_alike(
    options: dict[str, Any], *, answer: bool
) -> None:
    made = config.Config.default_with_overrides(**options)

    assert made.auther("anybody", "anything") is answer
    assert is_own(made.auther)
    assert default_auther(made) is None


def test_a_password_file_and_an_auther_of_ones_own_are_asked(tmp_path: Path) -> None:
    passwords = write_htpasswd(tmp_path / "htpasswd", alice="wonderland")
    by_file = config.Config.default_with_overrides(password_file=str(passwords))
    by_vendor = config.Config.default_with_overrides(auther=Vendors())

    checks: list[Any] = [by_file.auther, default_auther(by_file)]
    for asked in checks:
        assert asked("alice", "wonderland") is True
        assert not asked("nobody", "x")
    assert default_auther(by_vendor) is by_vendor.auther


class Vendors:
    """Checks passwords, and is no function."""

    def __call__(self, user: str, password: str) -> bool:
        return True


def test_an_object_that_checks_passwords_is_a_vendors() -> None:
    assert not is_own(Vendors())
    assert not is_own(lambda _user, _password: True)


def test_a_form_is_kept_in_the_environment_where_pypiserver_reads_it() -> None:
    builder = EnvironBuilder(method="POST", data=upload(signature=("x.asc", b"s")))
    environ = builder.get_environ()

    form = read_form(environ)

    again = bottle_wrapper.BaseRequest(environ)
    assert form.action == again.forms[":action"] == "file_upload"
    assert form.content is not None
    assert again.files.get("content").file is form.content.file
    assert again.files.get("content").raw_filename == form.content.filename
    app = Path(inspect.getfile(pypiserver)).with_name("_app.py").read_text()
    assert 'request.forms[":action"]' in app
    assert 'request.files.get(f, None) for f in ("content", "gpg_signature")' in app


def test_bottle_is_called_through_an_attribute_and_keeps_its_request_in_a_thread_local() -> None:
    bottle = bottle_wrapper.bottle

    assert "return self.wsgi(environ, start_response)" in inspect.getsource(bottle.Bottle.__call__)
    assert parameters(bottle.Bottle.wsgi) == ["self", "environ", "start_response"]
    assert isinstance(bottle.request, bottle.BaseRequest)
    assert threading.local is not None
    assert issubclass(bottle.HTTPError, bottle.HTTPResponse)


def test_a_server_may_be_given_as_a_class() -> None:
    source = inspect.getsource(bottle_wrapper.bottle.run)

    assert "if isinstance(server, type):" in source
    assert bottle_wrapper.GeventServer is bottle_wrapper.bottle.server_names["gevent"]
    assert "**self.options" in inspect.getsource(bottle_wrapper.GeventServer.run)
