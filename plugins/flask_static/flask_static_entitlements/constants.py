"""The configuration keys of a Flask app."""

from typing import Final

__all__ = ["EXTENSION", "PREFIX", "ConfigVars"]

EXTENSION: Final = "entitlements"
"""The key in ``app.extensions``."""
PREFIX: Final = "ENTITLEMENTS_"
"""How every key begins; the same names are read from the environment where a setting is plain."""


class ConfigVars:
    """Keys of ``app.config``. What a constructor is given wins over them."""

    REPOSITORY: Final = "ENTITLEMENTS_REPOSITORY"
    DIRECTORIES: Final = "ENTITLEMENTS_DIRECTORIES"
    REPOSITORIES: Final = "ENTITLEMENTS_REPOSITORIES"
    URL_PREFIX: Final = "ENTITLEMENTS_URL_PREFIX"
    PROTECT: Final = "ENTITLEMENTS_PROTECT"
    FILE_URL: Final = "ENTITLEMENTS_FILE_URL"
    CREATE_REPOSITORIES: Final = "ENTITLEMENTS_CREATE_REPOSITORIES"

    HOME: Final = "ENTITLEMENTS_HOME"
    DATABASE_URL: Final = "ENTITLEMENTS_DATABASE_URL"
    DURABILITY: Final = "ENTITLEMENTS_DURABILITY"
    DOWNLOAD_WINDOW: Final = "ENTITLEMENTS_DOWNLOAD_WINDOW"
    IPV6_PREFIX: Final = "ENTITLEMENTS_IPV6_PREFIX"
    TRUSTED_PROXIES: Final = "ENTITLEMENTS_TRUSTED_PROXIES"
    FORWARDED_HEADER: Final = "ENTITLEMENTS_FORWARDED_HEADER"
    GUESSES_PER_MINUTE: Final = "ENTITLEMENTS_GUESSES_PER_MINUTE"
    SEAL_SECRETS: Final = "ENTITLEMENTS_SEAL_SECRETS"
    TOKEN_QUOTA: Final = "ENTITLEMENTS_TOKEN_QUOTA"  # noqa: S105 - the name of a setting
    EULA_URL: Final = "ENTITLEMENTS_EULA_URL"
    ACCEL_REDIRECT: Final = "ENTITLEMENTS_ACCEL_REDIRECT"
    SENDFILE: Final = "ENTITLEMENTS_SENDFILE"
    WATCH: Final = "ENTITLEMENTS_WATCH"
