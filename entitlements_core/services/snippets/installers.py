"""What each client that installs is told.

A customer needs the vendor's packages and everybody's. Where the index sends clients on for what
is not the vendor's, one index is all they have. Else each client is told as much as it can be to
ask nobody else for the vendor's names, and what that does not cover is said beside it.
"""

from __future__ import annotations

import json

from entitlements_core.services.snippets.index_access import VARIABLE, IndexAccess
from entitlements_core.services.snippets.snippet import HIDDEN_NAMES, Made, Snippet, Unfit

__all__ = ["path", "pdm", "pip", "pip_tools", "pipenv", "poetry", "uv"]


def pip(access: IndexAccess) -> list[Made]:
    """A virtual environment's own configuration, and a requirements file.

    pip.conf expands no variables, so its credentials come from elsewhere.
    """
    words = " ".join(access.packages)
    made: list[Made] = [
        Snippet(
            client="pip",
            title="The index for one virtual environment; credentials from ~/.netrc",
            file="$VIRTUAL_ENV/pip.conf",
            language="ini",
            text=f"[global]\n{_alone(access)}index-url = {access.simple}\n",
            warning="pip.conf does not expand variables: never write ${...} into it.",
        ),
        Snippet(
            client="pip",
            title="The packages",
            file="shell",
            language="sh",
            text=f"pip install {words}\n",
        ),
        Snippet(
            client="pip",
            title="Or a requirements file, for pip and uv",
            file="requirements.txt",
            language="text",
            text=f"{_alone(access)}--index-url {access.with_user(access.expanded)}\n"
            + "".join(f"{name}\n" for name in access.packages),
        ),
        Snippet(
            client="pip",
            title="With it",
            file="shell",
            language="sh",
            text=_with_variable(access, "pip install -r requirements.txt"),
        ),
    ]
    if not access.upstream:
        made.append(
            Unfit(
                client="pip",
                reason="There is no safe configuration with a second index: pip takes the highest"
                " version that any index has, so whoever registers one of these names in the public"
                " one decides what is installed.",
                remedy="Use uv, or ask the vendor for an index with an upstream.",
            )
        )
    return made


def pip_tools(access: IndexAccess) -> list[Made]:
    """Compiled requirements, which must not hold the secret."""
    words = " ".join(access.packages)
    return [
        Snippet(
            client="pip-tools",
            title="Compiling without the secret in the result",
            file="shell",
            language="sh",
            text=(
                f'export PIP_INDEX_URL="{access.with_user(access.plain)}"\n'
                f"printf '%s\\n' {words} >> requirements.in\n"
                "pip-compile --no-emit-index-url --quiet requirements.in\n"
                "pip-sync requirements.txt\n"
            ),
            warning="Without --no-emit-index-url the secret is written into requirements.txt."
            + ("" if access.upstream else " Public packages are not found in this index."),
        )
    ]


def uv(access: IndexAccess) -> list[Made]:
    """A named index, whose credentials come from the environment."""
    if access.upstream:
        before, after = "", ""
    else:
        before = "# Keep it before any other index: uv takes a name from the first that has it.\n"
        pinned = "".join(f'{name} = {{ index = "vendor" }}\n' for name in access.packages)
        after = f"\n[tool.uv.sources]\n{pinned}"
    only = "default = true\n" if access.upstream else ""
    return [
        Snippet(
            client="uv",
            title="The index",
            file="pyproject.toml",
            language="toml",
            text=(
                f'{before}[[tool.uv.index]]\nname = "vendor"\nurl = "{access.simple}"\n'
                f'{only}authenticate = "always"\n{after}'
            ),
            warning="" if access.upstream else HIDDEN_NAMES,
        ),
        Snippet(
            client="uv",
            title="Its credentials, and the packages",
            file="shell",
            language="sh",
            text=(
                "export UV_INDEX_VENDOR_USERNAME=token\n"
                f"export UV_INDEX_VENDOR_PASSWORD={access.plain}\n"
                f"uv add {' '.join(access.packages)}\n"
            ),
        ),
    ]


def poetry(access: IndexAccess) -> list[Made]:
    """A primary source, and the public one behind it.

    ``poetry add --source`` pins a package in a project with ``[project]`` and in one without.
    """
    public = '\n[[tool.poetry.source]]\nname = "PyPI"\npriority = "supplemental"\n'
    source = "" if access.upstream else " --source vendor"
    kept = "Keep credentials out of the address: it is written into poetry.lock."
    return [
        Snippet(
            client="poetry",
            title="The index",
            file="pyproject.toml",
            language="toml",
            text=(
                f'[[tool.poetry.source]]\nname = "vendor"\nurl = "{access.simple}"\n'
                f'priority = "primary"\n{"" if access.upstream else public}'
            ),
            warning=kept if access.upstream else f"{kept} {HIDDEN_NAMES}",
        ),
        Snippet(
            client="poetry",
            title="Its credentials, and the packages",
            file="shell",
            language="sh",
            text=(
                "export POETRY_HTTP_BASIC_VENDOR_USERNAME=token\n"
                f"export POETRY_HTTP_BASIC_VENDOR_PASSWORD={access.plain}\n"
                f"poetry add{source} {' '.join(access.packages)}\n"
            ),
        ),
    ]


def pdm(access: IndexAccess) -> list[Made]:
    """A source in place of the public one, or one for the vendor's names alone."""
    url = access.with_user(access.expanded)
    if access.upstream:
        text = f'[[tool.pdm.source]]\nname = "pypi"\nurl = "{url}"\n'
    else:
        names = json.dumps(access.own)
        text = (
            "[tool.pdm.resolution]\nrespect-source-order = true\n\n"
            f'[[tool.pdm.source]]\nname = "vendor"\nurl = "{url}"\ninclude_packages = {names}\n\n'
            f'[[tool.pdm.source]]\nname = "pypi"\nexclude_packages = {names}\n'
        )
    return [
        Snippet(
            client="pdm",
            title="The index; pdm expands the variable",
            file="pyproject.toml",
            language="toml",
            text=text,
            warning=""
            if access.upstream
            else "Names that are not listed are taken from the public index.",
        ),
        Snippet(
            client="pdm",
            title="The packages",
            file="shell",
            language="sh",
            text=_with_variable(access, f"pdm add {' '.join(access.packages)}"),
        ),
    ]


def pipenv(access: IndexAccess) -> list[Made]:
    """A source, and the vendor's names one by one, since pipenv knows no order of sources."""
    # With a slash at its end pipenv also asks for /simple//package/.
    url = access.with_user(access.expanded).rstrip("/")
    verify = "true" if access.scheme == "https" else "false"
    source = f'[[source]]\nname = "vendor"\nurl = "{url}"\nverify_ssl = {verify}\n'
    if access.upstream:
        head, pin = "# In place of the source that is there.\n", '"*"'
    else:
        head, pin = "# Behind the source that is there.\n", '{ version = "*", index = "vendor" }'
    names = access.packages if access.upstream else access.own_names
    return [
        Snippet(
            client="pipenv",
            title="The index, and the packages; the lock file keeps the variable",
            file="Pipfile",
            language="toml",
            text=f"{head}{source}\n[packages]\n" + "".join(f"{name} = {pin}\n" for name in names),
            warning=""
            if access.upstream
            else "Whatever is not listed is taken from the public index, also what these packages"
            " depend on.",
        ),
        Snippet(
            client="pipenv",
            title="Installing",
            file="shell",
            language="sh",
            text=_with_variable(access, "pipenv install"),
        ),
    ]


def path(access: IndexAccess) -> list[Made]:
    """The secret in the path, for what knows no credentials."""
    url = access.with_path(access.plain)
    if url is None:
        return [
            Unfit(
                client="path",
                reason=f"The secret stands behind the path of the server, and {access.base} may be"
                " that of the server, of the repository in it, or of both.",
                remedy="Give the address of the server with --url, and the path of the repository"
                " in it with --mount: '' for none.",
            )
        ]
    return [
        Snippet(
            client="path",
            title="The secret in the path, for clients that know no credentials",
            file="shell",
            language="sh",
            text=f'pip install --index-url "{url}" {" ".join(access.packages)}\n',
            warning="Clients print this address, and write it into lock files: prefer the others.",
        )
    ]


def _alone(access: IndexAccess) -> str:
    if access.upstream:
        return ""
    return (
        "# Public packages are not found in it. Never add a second index: pip takes the highest\n"
        "# version of all, so that anybody could replace these packages.\n"
    )


def _with_variable(access: IndexAccess, command: str) -> str:
    return f"export {VARIABLE}={access.plain}\n{command}\n"
