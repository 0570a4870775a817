"""Configurations of an nginx in front that keep authorization, and signs of one that does not."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from string import Template
from typing import Final

from devpi_common.url import URL

from devpi_entitlements.configuration import LOCKDOWN, read_configuration
from devpi_entitlements.devpi_types import Config

__all__ = ["unguarded_configurations", "write_configurations"]

DEFAULT_LOCATION: Final = "/+protected"

DISTRIBUTION_LOGS: Final = "/var/log/nginx"
"""Where packaged builds of nginx write; others write below their own prefix."""

FOLDERS: Final = (
    "/etc/nginx",
    "/usr/local/etc/nginx",
    "/opt/homebrew/etc/nginx",
)
"""Where nginx is configured, as a rule."""

LONGEST: Final = 1_000_000
"""Bytes of a file that is still read as a configuration."""

_DIRECTIVES: Final = re.compile(
    r"""
      \#.*$
    | "(?:[^"\\]|\\.)*" | '(?:[^'\\]|\\.)*'
    | (?P<sends>\btry_files\s[^;\#]*/\+files)
    | (?P<asks>\bauth_request\s+/)
    | (?P<opens>\{) | (?P<closes>\})
    """,
    re.MULTILINE | re.VERBOSE,
)

Writer = Callable[[str, str], None]


def write_configurations(config: Config, writer: Writer) -> None:
    """Write what ``devpi-gen-config`` puts beside devpi's own files.

    Args:
        config: of devpi-server.
        writer: takes a file name and its contents.
    """
    configuration = read_configuration(config.args)
    location = (configuration.accel_redirect if configuration else "") or DEFAULT_LOCATION
    given = {
        **_outside(config.outside_url),
        "backend": f"http://127.0.0.1:{config.args.port}",
        "serverdir": config.server_path.absolute(),
        "location": location,
        # As nginx leaves out a header that is empty.
        "lockdown": "1" if config.pluginmanager.has_plugin(LOCKDOWN) else "",
        "marker": _MARKER,
        "segment": _SEGMENT,
        "generated": _GENERATED,
        "octet": _OCTET,
        "logs": DISTRIBUTION_LOGS if Path(DISTRIBUTION_LOGS).is_dir() else "logs",
    }
    given["plain"] = Template(given["plain"]).substitute(given)
    writer("nginx-entitlements.conf", _ACCEL.substitute(given))
    writer("nginx-entitlements-auth-request.conf", _AUTH_REQUEST.substitute(given))


def unguarded_configurations(
    serverdir: Path, folders: Iterable[str | Path] = FOLDERS
) -> Iterator[tuple[Path, int]]:
    """Places in nginx configurations where files are served without asking devpi-server.

    Yields the file and the line number, counted from 1. devpi's own ``gen-config`` is what an
    administrator copies from, and is not looked at: it is not in use.

    Args:
        serverdir: of devpi-server; only configurations that name it matter.
        folders: to look into, with everything below.
    """
    for folder in map(Path, folders):
        for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
            text = _text(path)
            if str(serverdir) in text:
                yield from ((path, text.count("\n", 0, at) + 1) for at in _unasked(text))


def _unasked(text: str) -> list[int]:
    """Where a configuration sends files without ``auth_request`` in the block or one around it."""
    blocks = [_Block()]
    for found in _DIRECTIVES.finditer(text):
        if found.lastgroup == "opens":
            blocks.append(_Block())
        elif found.lastgroup == "closes" and len(blocks) > 1:
            inner = blocks.pop()
            blocks[-1].sends += [] if inner.asks else inner.sends
        elif found.lastgroup == "asks":
            blocks[-1].asks = True
        elif found.lastgroup == "sends":
            blocks[-1].sends.append(found.start())
    return [at for block in blocks if not block.asks for at in block.sends]


@dataclass(slots=True)
class _Block:
    """A block of a configuration that is being read, and what stands in it."""

    asks: bool = False
    sends: list[int] = field(default_factory=list)


def _text(path: Path) -> str:
    try:
        if not path.is_file() or path.stat().st_size > LONGEST:
            return ""
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""  # not readable for us, so not a statement about anything


def _outside(url: str | None) -> dict[str, str]:
    """What the address at which nginx answers says of its server, and of one beside it."""
    outside = URL(url or "http://localhost:80")
    host, _, port = outside.netloc.partition(":")
    if outside.scheme != "https":
        return {"host": host, "listen": f"{port or '80'};", "plain": ""}
    folder = f"/etc/letsencrypt/live/{host}"
    return {
        "host": host,
        "listen": f"{port or '443'} ssl;\n"
        f"    ssl_certificate {folder}/fullchain.pem;\n"
        f"    ssl_certificate_key {folder}/privkey.pem;",
        "plain": "" if port else _PLAIN,
    }


_MARKER: Final = r"(?:/|%(?:25)*2f)(?:\+|%(?:25)*2b)(?:t|%(?:25)*74)(?:/|%(?:25)*2f)"
"""What stands before a token in an address, in each spelling; pip writes ``/%2Bt/``."""

_SEGMENT: Final = "(?:(?!%(?:25)*2f)[^/?])+"

_OCTET: Final = "%(?:25)*[3-7][0-9a-f]"

_PREFIX: Final = "(?:e|%(?:25)*65)(?:n|%(?:25)*6e)(?:t|%(?:25)*74)(?:_|%(?:25)*5f)"

_GENERATED: Final = f"{_PREFIX}(?:[0-9a-z]|{_OCTET}){{16}}"
"""How a generated secret begins, wherever it stands."""

_HEAD: Final = """\
# $title
# nginx must be able to read the server directory. Start devpi-server with
#   --trusted-proxy 127.0.0.1 --trusted-proxy-headers x-forwarded-for
# so that limits on clients and addresses see the customers, and not nginx.
map $$http_x_forwarded_proto $$x_scheme {
    default $$scheme;
    http http;
    https https;
}

# A token in an address is a secret: leave it out of the access log.
map $$request_uri $$without_token {
    default $$request_uri;
    "~*^(?<before>.*?$marker+)$segment(?<after>(?:(?!$marker).)*).*$$" "$${before}***$$after";
}
# What looks like one anywhere else.
map $$without_token $$logged_uri {
    default $$without_token;
    "~*^(?<ahead>.*?)$generated(?:[0-9a-z_]|$octet)*+(?<behind>(?:(?!$generated).)*).*$$"
        "$${ahead}***$$behind";
}
# So is a user name, as in https://TOKEN@host/, and what an address refers to.
log_format entitlements '$$remote_addr [$$time_local] '
                        '"$$request_method $$logged_uri" $$status $$body_bytes_sent';

server {
    server_name $host;
    listen $listen
    access_log $logs/devpi-access.log entitlements;
    # At lower levels it repeats the request line, with the token, of whatever fails.
    error_log $logs/devpi-error.log crit;
    client_max_body_size 64M;
    proxy_read_timeout 60s;
"""

_PLAIN: Final = """
# A redirect would let a client send its token in the clear each time.
server {
    server_name $host;
    listen 80;
    access_log $logs/devpi-access.log entitlements;
    error_log $logs/devpi-error.log crit;
    # In what each installer prints: the type of a page, the body, or the address.
    types {}
    default_type application/problem+json;
    set $$told '{"type": "about:blank", "status": 403, "code": "https_required",
        "title": "Use https and a new token", "detail": "This one was sent in the clear."}';
    location / {
        if ($$http_user_agent ~ "^pip/") { rewrite ^ /~pip last; }
        if ($$http_user_agent ~ "^uv/") { return 402 $$told; }
        if ($$http_user_agent ~ "^poetry/") { return 307 /~Use-https-and-a-new-token/; }
        return 403 $$told;
    }
    location ~ \\.(?:whl|tar\\.gz|zip)$$ {
        if ($$http_user_agent ~ "^(pip|poetry|pdm)/") { return 307 /~Use-https-and-a-new-token/; }
        return 403 $$told;
    }
    location = /~pip {
        internal;
        default_type 'application/problem+json; title="Use https and a new token"';
        return 300 $$told;
    }
    location /~ {
        return 403 $$told;
    }
    location /.well-known/acme-challenge/ {
        root /var/www/html;
    }
}
"""

_PROXY: Final = """\
        proxy_pass $backend;
        proxy_set_header X-Forwarded-Proto $$x_scheme;
        proxy_set_header X-outside-url $$x_scheme://$$http_host;
        proxy_set_header X-Forwarded-For $$proxy_add_x_forwarded_for;
        proxy_set_header X-Real-IP $$remote_addr;
        proxy_set_header X-Entitlements-Lockdown "$lockdown";
"""

_CLOSED: Final = """\
    # Between devpi-servers only.
    location /+changelog {
        allow 127.0.0.1;
        deny all;
$proxy    }

    location / {
$proxy    }
"""

_ACCEL: Final = Template(
    _HEAD.replace(
        "$title",
        "devpi-server decides and counts, nginx sends the files (X-Accel-Redirect).\n"
        "# devpi-server needs --entitlements-accel-redirect $location",
    )
    + """
    # Only devpi-server can send a client here.
    location $location/ {
        internal;
        alias $serverdir/;
    }

    # For servers in front that ask; this one does not.
    location = /+authcheck {
        internal;
    }

"""
    + _CLOSED.replace("$proxy", _PROXY)
    + "}\n$plain"
)

_AUTH_REQUEST: Final = Template(
    _HEAD.replace(
        "$title",
        "nginx asks devpi-server for each file (auth_request), and sends it by itself.\n"
        "# The other variant, nginx-entitlements.conf, is simpler and passes on reasons.",
    )
    + """
    location ~ ^(?:/\\+t/[^/]+)?(?<stored>/[^/+]+/[^/+]+/\\+f/.*)$$ {
        # Uploads of test results are not files that are sent.
        error_page 418 = @devpi;
        if ($$request_method !~ ^(?:GET|HEAD)$$) {
            return 418;
        }
        auth_request /+authcheck;
        root $serverdir;
        add_header Cache-Control "private, no-cache" always;
        default_type application/octet-stream;
        types {}
        try_files /+files$$stored @devpi;
    }

    location = /+authcheck {
        internal;
        proxy_pass_request_body off;
        proxy_set_header Content-Length "";
        proxy_set_header X-Original-URI $$request_uri;
        proxy_set_header X-Original-Method $$request_method;
"""
    + _PROXY
    + """    }

    location @devpi {
"""
    + _PROXY
    + """    }

"""
    + _CLOSED.replace("$proxy", _PROXY)
    + "}\n$plain"
)
