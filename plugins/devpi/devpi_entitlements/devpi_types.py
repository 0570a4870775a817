"""What devpi-server, pyramid and webob hand over, by its name: none of them has types."""

from typing import Any

__all__ = [
    "Config",
    "Configurator",
    "Customizer",
    "FileLink",
    "FileStore",
    "FileStoreEntry",
    "HookValue",
    "Key",
    "KeyFS",
    "MultiDict",
    "OptionParser",
    "PyramidEvent",
    "PyramidRequest",
    "PyramidResponse",
    "Registry",
    "RootModel",
    "Stage",
    "TerminalWriter",
    "Transaction",
    "Xom",
]

Config = Any
"""Of devpi-server: its options."""
Configurator = Any
"""Of pyramid."""
Customizer = Any
"""Of an index of devpi-server: what it asks a plugin about."""
FileStoreEntry = Any
"""Of devpi-server's file store: a file, or what is known of one that is elsewhere."""
FileLink = Any
"""Of devpi-server: a file of a release."""
FileStore = Any
"""Of devpi-server."""
HookValue = Any
"""Whatever devpi-server passes to a hook, and takes from it."""
Key = Any
"""Of devpi-server's database."""
KeyFS = Any
"""Of devpi-server: its database."""
MultiDict = Any
"""Of webob: the fields of a form."""
OptionParser = Any
"""Of devpi-server."""
PyramidEvent = Any
PyramidRequest = Any
PyramidResponse = Any
Registry = Any
"""Of pyramid: what one application holds."""
RootModel = Any
"""Of devpi-server: users and their indexes, in a transaction."""
Stage = Any
"""Of devpi-server: an index, in a transaction."""
TerminalWriter = Any
"""Of devpi-server's commands."""
Transaction = Any
"""Of devpi-server's database."""
Xom = Any
"""Of devpi-server: its composition root."""
