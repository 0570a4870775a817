"""Builds, and services that keep dependencies up to date."""

from __future__ import annotations

import json

from entitlements_core.services.snippets.index_access import VARIABLE, IndexAccess
from entitlements_core.services.snippets.snippet import HIDDEN_NAMES, Made, Snippet

__all__ = ["dependabot", "docker", "github", "gitlab", "renovate"]

_ALONE = "Public packages are not found in this index."


def docker(access: IndexAccess) -> list[Made]:
    """A secret of BuildKit, which leaves no trace in the image."""
    return [
        Snippet(
            client="docker",
            title="A build that leaves no secret in the image",
            file="Dockerfile",
            language="dockerfile",
            text=(
                "# syntax=docker/dockerfile:1\n"
                "# docker build --secret id=vendor_netrc,src=$HOME/.netrc .\n"
                "FROM python:3\n"
                "RUN --mount=type=secret,id=vendor_netrc NETRC=/run/secrets/vendor_netrc \\\n"
                f"    pip install --index-url {access.simple} {' '.join(access.packages)}\n"
            ),
            warning=_one_index("An ARG or ENV would stay readable in the image.", access),
        )
    ]


def gitlab(access: IndexAccess) -> list[Made]:
    """A job with a masked variable."""
    return [
        Snippet(
            client="gitlab",
            title=f"A job; {VARIABLE} is a masked variable of the project",
            file=".gitlab-ci.yml",
            language="yaml",
            text=(
                "install:\n  image: python:3\n  script:\n"
                f'    - export PIP_INDEX_URL="{access.with_user(f"${VARIABLE}")}" PIP_NO_INPUT=1\n'
                f"    - pip install {' '.join(access.packages)}\n"
            ),
            warning=_one_index("", access),
        )
    ]


def github(access: IndexAccess) -> list[Made]:
    """A workflow with a secret, which Actions masks."""
    return [
        Snippet(
            client="github",
            title=f"A workflow; {VARIABLE} is a secret of the repository",
            file=".github/workflows/install.yml",
            language="yaml",
            text=(
                "on: push\njobs:\n  install:\n    runs-on: ubuntu-latest\n    steps:\n"
                "      - uses: actions/setup-python@v6\n        with:\n"
                '          python-version: "3.x"\n'
                f"      - run: pip install {' '.join(access.packages)}\n        env:\n"
                f"          PIP_INDEX_URL: {access.with_user(f'${{{{ secrets.{VARIABLE} }}}}')}\n"
                '          PIP_NO_INPUT: "1"\n'
            ),
            warning=_one_index("", access),
        )
    ]


def renovate(access: IndexAccess) -> list[Made]:
    """Credentials of a host, and the index of the vendor's names."""
    rule = {
        "hostType": "pypi",
        "matchHost": access.simple,
        "username": "token",
        "password": f"{{{{ secrets.{VARIABLE} }}}}",
    }
    index: dict[str, object] = {"matchDatasources": ["pypi"], "registryUrls": [access.simple]}
    if not access.upstream:
        index["matchPackageNames"] = list(access.own)
    document = {"hostRules": [rule], "packageRules": [index]}
    return [
        Snippet(
            client="renovate",
            title=f"Updates; {VARIABLE} is a secret in the settings of the app",
            file="renovate.json",
            language="json",
            text=f"{json.dumps(document, indent=2)}\n",
            warning=""
            if access.upstream
            else "Names that are not listed are looked for in the public index.",
        )
    ]


def dependabot(access: IndexAccess) -> list[Made]:
    """A registry, in place of the public one or beside it."""
    base = "    replaces-base: true\n" if access.upstream else ""
    return [
        Snippet(
            client="dependabot",
            title=f"Updates; {VARIABLE} is a secret of Dependabot",
            file=".github/dependabot.yml",
            language="yaml",
            text=(
                "version: 2\nregistries:\n  vendor:\n    type: python-index\n"
                f"    url: {access.simple}\n    username: token\n"
                f"    password: ${{{{ secrets.{VARIABLE} }}}}\n{base}"
                "updates:\n  - package-ecosystem: pip\n    directory: /\n"
                "    schedule:\n      interval: weekly\n    registries: [vendor]\n"
            ),
            warning="" if access.upstream else HIDDEN_NAMES,
        )
    ]


def _one_index(warning: str, access: IndexAccess) -> str:
    return warning if access.upstream else f"{warning} {_ALONE}".strip()
