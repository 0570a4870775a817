"""The hooks that devpi-server loads: inert until the server is told where our store is.

Every devpi-server of the environment loads this module, also ``--version`` and ``devpi-init``. It
therefore imports nothing but what those have, adds its options, and stays out of the way. Once it
is configured, `devpi_entitlements.startup` registers everything else with that one server.
"""

from __future__ import annotations

import shlex

from devpi_server.config import hookimpl

from devpi_entitlements.configuration import add_options, read_configuration, storage_of
from devpi_entitlements.devpi_types import Config, Configurator, OptionParser, TerminalWriter, Xom

__all__: list[str] = []


@hookimpl
def devpiserver_add_parser_options(parser: OptionParser) -> None:
    """Add the options of the adapter."""
    add_options(parser)


@hookimpl
def devpiserver_cmdline_run(xom: Xom) -> None:
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
def devpiserver_genconfig(
    tw: TerminalWriter,  # noqa: ARG001 - of the hook
    config: Config,
    argv: list[str],  # noqa: ARG001 - of the hook
    writer: TerminalWriter,
) -> None:
    """Write the nginx configurations that keep authorization and counting."""
    if read_configuration(config.args) is None:
        return
    from devpi_entitlements.nginx import write_configurations  # noqa: PLC0415 - see above

    write_configurations(config, writer)


@hookimpl(trylast=True)
def devpiserver_pyramid_configure(config: Config, pyramid_config: Configurator) -> None:
    """Wire the adapter into this server, if it is configured."""
    configuration = read_configuration(config.args)
    if configuration is None:
        return
    from devpi_entitlements.startup import include  # noqa: PLC0415 - see above

    include(configuration, config, pyramid_config)
