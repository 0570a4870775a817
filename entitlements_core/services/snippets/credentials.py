"""Where clients find the secret by themselves."""

from __future__ import annotations

from entitlements_core.services.snippets.index_access import IndexAccess
from entitlements_core.services.snippets.snippet import Made, Snippet

__all__ = ["keyring", "netrc"]


def netrc(access: IndexAccess) -> list[Made]:
    """A file that nearly every client reads. It knows no ports."""
    return [
        Snippet(
            client="netrc",
            title="Credentials for pip, uv, poetry, pdm, pipenv and curl; mode 600",
            file="~/.netrc",
            language="text",
            text=f"machine {access.hostname}\nlogin token\npassword {access.plain}\n",
        )
    ]


def keyring(access: IndexAccess) -> list[Made]:
    """The system's keyring, which pip asks for the password of a user that the address names."""
    with_name = access.simple.replace("://", "://token@", 1)
    return [
        Snippet(
            client="keyring",
            title="The secret in the keyring of the system; once, and it asks for it",
            file="shell",
            language="sh",
            text=f"keyring set {access.netloc} token\n",
        ),
        Snippet(
            client="keyring",
            title="For pip",
            file="$VIRTUAL_ENV/pip.conf",
            language="ini",
            text=f"[global]\nindex-url = {with_name}\nkeyring-provider = subprocess\n",
            warning="pip before 23.1 asks only a keyring that is installed beside it, and not with"
            " --no-input.",
        ),
        Snippet(
            client="keyring",
            title="The packages",
            file="shell",
            language="sh",
            text=f"pip install {' '.join(access.packages)}\n",
        ),
    ]
