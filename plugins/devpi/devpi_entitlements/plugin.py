"""The hooks that devpi-server loads: inert until the server is told where our store is.

Every devpi-server of the environment loads this module, also ``--version`` and ``devpi-init``. It
therefore imports nothing but what those have, adds its options, and stays out of the way. Once it
is configured, `devpi_entitlements.startup` registers everything else with that one server.
"""

from __future__ import annotations

import shlex
from typing import Any

from devpi_server.config import hookimpl

from devpi_entitlements.configuration import add_options, read_configuration, storage_of

__all__: list[str] = []


@hookimpl
def devpiserver_add_parser_options(parser: Any) -> None:  # noqa: ANN401 - of devpi-server
    """Add the options of the adapter."""
    add_options(parser)


@hookimpl
def devpiserver_cmdline_run(xom: Any) -> None:  # noqa: ANN401 - of devpi-server
    """Refuse to open to everybody what an administrator has closed."""
    if read_configuration(xom.config.args) is not None:
        return
    from devpi_entitlements.access import closed_indexes  # noqa: PLC0415 - only where it is needed

    closed = closed_indexes(xom.model)
    if closed:
        xom.fatal(
            f"acl_pkg_read closes {', '.join(closed)}, but entitlements are not configured, so"
            " anybody could read it.\nGive --entitlements-home (or ENTITLEMENTS_HOME), or leave"
            " entitlements for good, which opens the index to everybody:\n"
            f"entitlements devpi leave --serverdir {shlex.quote(str(xom.config.server_path))}"
            f" --storage {shlex.quote(storage_of(xom.config.args))}"
        )


@hookimpl
def devpiserver_genconfig(tw: Any, config: Any, argv: list[str], writer: Any) -> None:  # noqa: ANN401, ARG001 - of devpi-server
    """Write the nginx configurations that keep authorization and counting."""
    if read_configuration(config.args) is None:
        return
    from devpi_entitlements.nginx import write_configurations  # noqa: PLC0415 - see above

    write_configurations(config, writer)


@hookimpl(trylast=True)
def devpiserver_pyramid_configure(config: Any, pyramid_config: Any) -> None:  # noqa: ANN401 - of devpi-server and pyramid
    """Wire the adapter into this server, if it is configured."""
    configuration = read_configuration(config.args)
    if configuration is None:
        return
    from devpi_entitlements.startup import include  # noqa: PLC0415 - see above

    include(configuration, config, pyramid_config)
