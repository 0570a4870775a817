"""Single files, down and up."""

from __future__ import annotations

from entitlements_core.services.snippets.index_access import IndexAccess
from entitlements_core.services.snippets.snippet import Made, Snippet, Unfit

__all__ = ["curl", "link", "twine"]

_HASHED = "devpi-server's files are at addresses with a part of their hash."
_FROM_PAGE = "Copy the address of a file from the page of its project, and add --user token:SECRET."


def curl(access: IndexAccess) -> list[Made]:
    """One file by hand, with the credentials of netrc."""
    address = access.file()
    if address is None:
        return [Unfit(client="curl", reason=_HASHED, remedy=_FROM_PAGE)]
    return [
        Snippet(
            client="curl",
            title="One file by its name, with the credentials of ~/.netrc",
            file="shell",
            language="sh",
            text=f"curl --netrc --fail --remote-name {address}\n",
        )
    ]


def link(access: IndexAccess) -> list[Made]:
    """One file for a browser, or whatever can only follow a link."""
    address = access.file(access.plain)
    if address is None:
        remedy = _FROM_PAGE if access.is_hashed else "Say where the repository is with --mount."
        reason = _HASHED if access.is_hashed else f"{access.base} may be of the server or in it."
        return [Unfit(client="link", reason=reason, remedy=remedy)]
    return [
        Snippet(
            client="link",
            title="One file by a link",
            file="browser",
            language="text",
            text=f"{address}\n",
            warning="Whoever has the link has the secret.",
        )
    ]


def twine(access: IndexAccess) -> list[Made]:
    """Uploads."""
    if access.upload is None:
        return [
            Unfit(
                client="twine",
                reason="entitlements serve and the Flask adapter take no uploads, and no other"
                " server was named.",
                remedy="Say --host pypiserver or --host devpi if it is one.",
            )
        ]
    return [
        Snippet(
            client="twine",
            title="Uploads, for a token with access rw",
            file="shell",
            language="sh",
            text=(
                f"export TWINE_REPOSITORY_URL={access.upload}\nexport TWINE_USERNAME=token\n"
                f"export TWINE_PASSWORD={access.plain}\nexport TWINE_NON_INTERACTIVE=1\n"
                "twine upload dist/*\n"
            ),
        )
    ]
