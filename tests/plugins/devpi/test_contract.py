"""What of devpi-server we rely on beyond its documented hooks: an upgrade that moves it fails here.

This module names what is there without a server: hooks, functions, classes, templates. What only a
running application shows is in ``test_contract_server.py``.
"""

from __future__ import annotations

import importlib
import inspect
import tomllib
from importlib.metadata import version
from importlib.resources import files
from operator import attrgetter
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import pytest
from devpi_server import config, genconfig, hookspecs, model, replica
from devpi_server.config import hookimpl
from packaging.requirements import Requirement
from packaging.version import Version
from pluggy import PluginManager

ROOT: Final = Path(__file__).parents[3]

# Arguments, and whether the first result wins.
HOOKS: Final = {
    "devpiserver_add_parser_options": ("parser", False),
    "devpiserver_auth_denials": ("request acl user stage", False),
    "devpiserver_authcheck_always_ok": ("request", False),
    "devpiserver_authcheck_forbidden": ("request", True),
    "devpiserver_authcheck_unauthorized": ("request", True),
    "devpiserver_cmdline_run": ("xom", True),
    "devpiserver_genconfig": ("tw config argv writer", False),
    "devpiserver_get_credentials": ("request", True),
    "devpiserver_get_features": ("", False),
    "devpiserver_get_identity": ("request credentials", True),
    "devpiserver_indexconfig_defaults": ("index_type", False),
    "devpiserver_metrics": ("request", False),
    "devpiserver_on_changed_versiondata": ("stage project version metadata", False),
    "devpiserver_on_remove_file": ("stage relpath", False),
    "devpiserver_on_upload": ("stage project version link", False),
    "devpiserver_pyramid_configure": ("config pyramid_config", False),
    "devpiserver_sro_skip": ("stage base_stage", True),
    "devpiserver_stage_created": ("stage", False),
    "devpiserver_stage_get_principals_for_pkg_read": ("ixconfig", True),
    "devpiserver_user_created": ("user", False),
}

# Which file, then what is in it and the arguments of each.
CALLABLES: Final = {
    "devpi_server.config": {
        "get_pluginmanager": "load_entrypoints",
        "parseoptions": "pluginmanager argv parser",
        "traced_pluggy_call": "hook caller_kwargs",
    },
    "devpi_server.genconfig": {
        "gen_nginx": "tw config argv writer",
        "gen_nginx_caching": "tw config argv writer",
        "genconfig": "config argv",
    },
    "devpi_server.main": {
        "XOM.create_app": "self",
        "XOM.is_replica": "self",
    },
    "devpi_server.model": {
        "apply_filter_iter": "items filter_iter",
        "BaseStage.filter_projects": "self projects",
        "BaseStage.filter_versions": "self project versions",
        "BaseStage.get_link_from_entrypath": "self entrypath",
        "BaseStage.get_linkstore_perstage": "self name version readonly",
        "BaseStage.get_simplelinks": "self project sorted_links",
        "BaseStage.get_simplelinks_perstage": "self project",
        "BaseStage.has_project": "self project",
        "BaseStage.list_projects": "self",
        "BaseStage.op_sro_check_mirror_whitelist": "self opname kw",
        "BaseStage.sro": "self",
        "BaseStageCustomizer.__init__": "self stage",
        "BaseStageCustomizer.get_principals_for_pkg_read": "self restrict_modify",
        "BaseStageCustomizer.get_principals_for_upload": "self restrict_modify",
        "BaseStageCustomizer.get_projects_filter_iter": "self projects",
        "BaseStageCustomizer.get_simple_links_filter_iter": "self project links",
        "BaseStageCustomizer.get_versions_filter_iter": "self project versions",
        "PrivateStage.get_versiondata_perstage": "self project version readonly",
        "PrivateStage.list_projects_perstage": "self",
        "PrivateStage.list_versions_perstage": "self project",
        "RootModel.get_user": "self name",
        "RootModel.get_userlist": "self",
        "RootModel.getstage": "self user index",
    },
    "devpi_server.mirror": {
        "MirrorStage.get_versiondata_perstage": "self project version readonly",
        "MirrorStage.list_projects_perstage": "self",
        "MirrorStage.list_versions_perstage": "self project",
    },
    "devpi_server.keyfs": {
        "KeyFS.get_current_serial": "self",
        "KeyFS.read_transaction": "self at_serial allow_reuse",
        "Transaction.get_model": "self xom",
        "TransactionRootModel.getstage": "self user index",
    },
    "devpi_server.filestore": {
        "BaseFileEntry.file_exists": "self",
        "BaseFileEntry.file_open_read": "self",
        "BaseFileEntry.file_os_path": "self _raises",
        "BaseFileEntry.file_size": "self",
        "FileStore.get_file_entry": "self relpath",
    },
    "devpi_server.view_auth": {
        "DevpiSecurityPolicy.load_identity": "self request",
        "DevpiSecurityPolicy.permits": "self request context permission",
        "RootFactory.__init__": "self request context",
    },
    "devpi_server.views": {
        "PyPIView._pkgserv": "self entry is_metadata",
        "PyPIView.authcheck_view": "self",
        "PyPIView.simple_list_all": "self",
        "PyPIView.simple_list_project": "self",
        "is_simple_json": "request",
        "iter_remote_file_replica": "stage entry url",
        "tween_keyfs_transaction": "handler registry",
        "tween_request_logging": "handler registry",
    },
    "devpi_common.metadata": {"splitbasename": "path checkarch"},
}

ATTRIBUTES: Final = {
    "devpi_server.filestore:FileEntry": (
        "basename",
        "hashes",
        "index",
        "last_modified",
        "meta",
        "project",
        "relpath",
        "url",
        "user",
        "version",
    ),
    "devpi_server.model:ACLList": (),
    "devpi_server.model:SimplelinkMeta": (
        "basename",
        "core_metadata",
        "hashes",
        "href",
        "key",
        "name",
        "path",
        "require_python",
        "version",
        "yanked",
    ),
    "devpi_server.model:SimpleLinks": ("stale",),
    "devpi_server.replica:REPLICA_USER_NAME": (),
    "devpi_server.view_auth:DevpiSecurityPolicy": ("identity_cache",),
    "devpi_server.view_auth:RootFactory": ("__acl__", "_stage", "matchdict", "project", "stage"),
    "devpi_server.views:INSTALLER_USER_AGENT": (),
    "devpi_server.views:PyPIView": ("_use_absolute_urls",),
    "devpi_server.views:SIMPLE_API_V1_JSON": (),
}


def arguments(function: Any) -> str:  # noqa: ANN401 - whatever devpi has there
    return " ".join(inspect.signature(function).parameters)


def test_the_version_is_one_that_was_looked_at() -> None:
    found = Version(version("devpi-server"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    [requirement] = project["optional-dependencies"]["devpi"]
    wanted = Requirement(requirement).specifier

    assert found in wanted, f"devpi-server {found} is installed; the extra allows {wanted}"
    assert Version("6.19.3") not in wanted, "--enable-core-metadata and others came with 6.20"
    assert Version("7.0.0") not in wanted, "devpi-server 7 has to be looked at first"


@pytest.mark.parametrize("name", HOOKS)
def test_a_hook_gives_what_we_take(name: str) -> None:
    wanted, first_result = HOOKS[name]
    hook = getattr(hookspecs, name, None)

    assert hook is not None, f"the hook {name} is gone from devpi_server.hookspecs"
    assert arguments(hook) == wanted, f"the arguments of the hook {name} have changed"
    assert hook.devpiserver_spec["firstresult"] is first_result, f"{name}: another firstresult"


@pytest.mark.parametrize(
    ("module", "path"), [(module, path) for module, paths in CALLABLES.items() for path in paths]
)
def test_a_function_is_where_it_was(module: str, path: str) -> None:
    try:
        function = attrgetter(path)(importlib.import_module(module))
    except AttributeError as error:
        pytest.fail(f"{module}.{path} is gone: {error}")

    assert arguments(function) == CALLABLES[module][path], (
        f"{module}.{path} takes other arguments: {arguments(function)}"
    )


@pytest.mark.parametrize("path", ATTRIBUTES)
def test_a_class_has_what_we_read(path: str) -> None:
    module, _, name = path.partition(":")
    found = getattr(importlib.import_module(module), name, None)

    assert found is not None, f"{module}.{name} is gone"
    # An instance attribute without a class-level name shows in the source alone.
    source = inspect.getsource(found) if inspect.isclass(found) else ""
    gone = [item for item in ATTRIBUTES[path] if not hasattr(found, item) and item not in source]
    assert not gone, f"{module}.{name} has no {gone} any more"


def test_a_filter_that_ends_early_keeps_the_rest() -> None:
    apply: Any = model.apply_filter_iter
    kept = list(apply(["a", "b", "c"], iter([False])))

    assert kept == ["b", "c"], (
        "devpi's apply_filter_iter has changed: it kept what a filter says nothing about, and our "
        "filters give one answer for each item because of that"
    )


def test_the_hooks_of_identity_are_called_in_order_and_without_wrappers() -> None:
    calls = []

    class First:
        @hookimpl(tryfirst=True)
        def devpiserver_get_identity(self, request: Any, credentials: Any) -> str | None:  # noqa: ANN401 - devpi has no types
            calls.append("first")
            return None

    class Last:
        @hookimpl(trylast=True)
        def devpiserver_get_identity(self, request: Any) -> str:  # noqa: ANN401 - devpi has no types
            calls.append("last")
            return "found"

    manager = PluginManager("devpiserver")
    manager.add_hookspecs(hookspecs)
    manager.register(Last())
    manager.register(First())
    hook = manager.hook.devpiserver_get_identity
    call: Any = config.traced_pluggy_call
    result, names = call(hook, request=None, credentials=None)

    assert (result, len(names)) == ("found", 1), "traced_pluggy_call gives another result"
    assert calls == ["first", "last"], "traced_pluggy_call no longer heeds tryfirst and trylast"


def test_the_nginx_configuration_has_what_we_replace() -> None:
    written: dict[str, Any] = {}
    settings: Any = SimpleNamespace(
        outside_url=None, args=SimpleNamespace(port=3141), server_path="/srv/devpi"
    )
    terminal: Any = None
    genconfig.gen_nginx(terminal, settings, [], written.__setitem__)

    assert list(written) == ["nginx-devpi.conf"], "gen_nginx writes other files"
    for part in (
        "root /srv/devpi;",
        r"location ~ /\+f/ {",
        r"location ~ /\+doc/ {",
        "try_files /+files$uri @proxy_to_app;",
        "try_files $uri @proxy_to_app;",
        "location / {",
        "location @proxy_to_app {",
        "proxy_pass http://localhost:3141;",
        "proxy_set_header X-outside-url $x_scheme://$http_host;",
        "proxy_set_header X-Real-IP $remote_addr;",
    ):
        assert part in written["nginx-devpi.conf"], f"devpi's nginx configuration lacks {part!r}"


def test_a_replica_shows_who_it_is_by_a_bearer_and_its_own_header() -> None:
    sent = files("devpi_server").joinpath("replica.py").read_text()

    assert replica.H_REPLICA_UUID == "X-DEVPI-REPLICA-UUID", "replicas have another header"
    assert 'extra_headers["Authorization"] = f"Bearer {token}"' in sent, (
        "replicas authenticate otherwise: look again at what tells them from our tokens"
    )
    assert 'int(r.headers["X-DEVPI-SERIAL"])' in sent, (
        "a replica that passes on an upload waits for another header of the answer"
    )


def test_the_client_of_uv_and_pip_is_known_as_installer() -> None:
    text = files("devpi_server").joinpath("views.py").read_text()

    assert "(distribute|setuptools|pip|pex|uv)/" in text, (
        "other clients than before get a page without a redirect and without sorting"
    )
