"""No secret in a log, whoever writes it and however it is formatted."""

import base64
import io
import logging
import re
import sys
import time
from collections.abc import Iterator
from types import MappingProxyType
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entitlements_core.policy.secret import from_random_bytes
from entitlements_core.services.redaction import RedactingFilter, protect_logs, redact

SECRET = "ent_jlCTQj2uNU3MFagCXG9LRKRcwGkBIDlf1PhCqX"
CUSTOM = "customer-42.secret"
BASIC = base64.b64encode(f"token:{CUSTOM}".encode()).decode()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("GET /+t/x1/simple/foo/ HTTP/1.1", "GET /+t/***/simple/foo/ HTTP/1.1"),
        ('"GET /+t/customer-42.secret HTTP/1.1" 200', '"GET /+t/*** HTTP/1.1" 200'),
        ("/+t/customer-42.secret?format=json", "/+t/***?format=json"),
        ("/+t/customer-42.secret#frag", "/+t/***#frag"),
        ("'/+t/customer-42.secret'", "'/+t/***'"),
        ("/%2Bt/customer-42.secret/simple/", "/%2Bt/***/simple/"),
        ("/%2bt%2fcustomer-42.secret%2fsimple%2f", "/%2bt%2f***%2fsimple%2f"),
        ("/+%74/customer-42.secret/simple/", "/+%74/***/simple/"),
        ("/+t/%63ustomer-42%2Esecret/simple/", "/+t/***/simple/"),
        ("/+t/one/+t/two/simple/", "/+t/***/+t/***/simple/"),
        ("Looking in https://host/+t/x1/simple/", "Looking in https://host/+t/***/simple/"),
        (f"Authorization: Basic {BASIC}", "Authorization: Basic ***"),
        (f"authorization: BASIC  {BASIC}", "authorization: BASIC  ***"),
        (f"{{'HTTP_AUTHORIZATION': 'Basic {BASIC}'}}", "{'HTTP_AUTHORIZATION': 'Basic ***'}"),
        ("Authorization: Bearer customer-42.secret", "Authorization: Bearer ***"),
        ("https://token:customer-42.secret@host/simple/", "https://***@host/simple/"),
        ("https://customer-42.secret@host:8080/", "https://***@host:8080/"),
        ("https://token:p@ss@host/simple/", "https://***@host/simple/"),
        ("postgresql://app:hunter2@db/store", "postgresql://***@db/store"),
        (f"token={SECRET}", "token=***"),
        (f"<{SECRET}>, {SECRET}.", "<***>, ***."),
        (f'{{"token": "{SECRET}"}}', '{"token": "***"}'),
        (f"x{SECRET}", "x***"),
        (f"/+t%2e%2e%2f{SECRET}/simple/", "/+t%2e%2e%2f***/simple/"),
        (f"/x?a%3D{SECRET}", "/x?a%3D***"),
        (f"/+t/x/../en%74_{SECRET[4:]}/simple/", "/+t/***/simple/"),
        (f"/e%6et%5F%{ord(SECRET[4]):x}{SECRET[5:]}/simple/", "/***/simple/"),
        (f"/%2565nt_{SECRET[4:]}", "/***"),
        ("/+t\\customer-42.secret/simple/", "/+t\\***/simple/"),
        ("/+t%5ccustomer-42.secret%5Csimple", "/+t%5c***%5Csimple"),
        ("/+t/x/../customer-42.secret/simple/", "/+t/***/simple/"),
        ("/+t/x/.%2e/./customer-42.secret?a", "/+t/***?a"),
    ],
)
def test_a_secret_is_masked(text: str, expected: str) -> None:
    assert redact(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "GET /simple/foo/ HTTP/1.1",
        "/packages/foo-1.0-py3-none-any.whl",
        "https://host/simple/ and mail to sales@acme.example",
        "mirror of http://foo:***@upstream.example/simple/",
        "the basic idea",
        "a bearer of news",
        "/+table/of/contents",
        "/+t",
        "identifier abcdefghijkl",
        "ent_short",
        "sha256=0123456789abcdef0123456789abcdef",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redact(text) == text


@given(data=st.binary(min_size=32, max_size=32), before=st.text(), after=st.text())
def test_a_generated_secret_never_gets_through(data: bytes, before: str, after: str) -> None:
    secret = from_random_bytes(data)
    for text in (f"{before} {secret} {after}", f"{before}{secret}{after}"):
        assert secret not in redact(text)


@given(
    data=st.binary(min_size=32, max_size=32),
    before=st.sampled_from(["/", "/+t/", "/+t%2f", "/%5c", "/?a%3d", "/?a%253D", "/+t/x%2F..%2F"]),
    times=st.lists(st.integers(min_value=0, max_value=3), min_size=42, max_size=42),
)
def test_an_encoded_secret_never_gets_through(data: bytes, before: str, times: list[int]) -> None:
    secret = from_random_bytes(data)
    encoded = "".join(
        f"%{'25' * (number - 1)}{ord(character):02x}" if number else character
        for character, number in zip(secret, times, strict=True)
    )
    assert redact(f"GET {before}{encoded}/simple/").count("***") == 1
    left = re.sub("%(?:25)*", "%", redact(f"GET {before}{encoded}/simple/"))
    assert secret[4:] not in unquote(left)


CUSTOM_SECRETS = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{7,47}", fullmatch=True)


@given(secret=CUSTOM_SECRETS, before=st.text(), after=st.sampled_from(["", "/", "/simple/", " x"]))
def test_a_custom_secret_never_gets_through_in_our_forms(
    secret: str, before: str, after: str
) -> None:
    secret = f"{secret}Zq9"  # so that it is not part of the surroundings
    header = base64.b64encode(f"token:{secret}".encode()).decode()
    for text in (f"/+t/{secret}{after}", f"https://{secret}@host{after}", f"Bearer {secret}"):
        assert secret not in redact(f"{before} {text}") or secret in before
    assert header not in redact(f"{before} Basic {header}")


MISTYPED = st.builds(
    "".join,
    st.tuples(
        st.sampled_from(["/+t", "/+T", "/%2bt", "/%2B%54", "%2F+%74", "/%252b%2574"]),
        st.sampled_from(["", ";", ";a=b"]),
        st.lists(
            st.sampled_from(["/", "%2F", "%252f", "/.", "/..", "\\\\", "%5c", "/x/..", "/%2e%2E"]),
            max_size=4,
        ).map("".join),
        st.sampled_from(["/", "%2f"]),
        st.sampled_from(["", '"', "'", "#", "%22", "%20", "%2523", "?'"]),
    ),
)


@given(secret=CUSTOM_SECRETS, before=MISTYPED)
def test_a_custom_secret_never_gets_through_where_somebody_mistypes_it(
    secret: str, before: str
) -> None:
    assert f"{secret}Zq9" not in redact(f"GET {before}{secret}Zq9/simple/ HTTP/1.1")


@pytest.mark.parametrize(
    "text",
    [
        "/+t" + "/" * 9_999,
        "/+t/" + "./" * 5_000,
        "/+t" * 5_000,
        "/+t/" + "a/../" * 5_000,
        "/+t/a" + "/.." * 9_999,
        "ent_" + "%25" * 9_999,
    ],
)
def test_no_address_is_slow_to_redact(text: str) -> None:
    began = time.process_time()
    redact(text)
    assert time.process_time() - began < 5  # a search that went back and forth would take hours


@given(text=st.text())
def test_redacting_twice_changes_nothing(text: str) -> None:
    assert redact(redact(text)) == redact(text)


class Access(logging.Formatter):
    """Formats from the arguments, as the access loggers of some servers do."""

    def format(self, record: logging.LogRecord) -> str:
        assert isinstance(record.args, tuple)
        address, method, path, status = record.args
        return f"{address} {method} {path} {status}"


@pytest.fixture
def output() -> Iterator[tuple[logging.Logger, logging.Handler, io.StringIO]]:
    """A logger with one protected handler."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    logger = logging.getLogger("tests.redaction")
    logger.addHandler(handler)
    logger.propagate = False
    protect_logs("tests.redaction")
    yield logger, handler, stream
    logger.removeHandler(handler)


Output = tuple[logging.Logger, logging.Handler, io.StringIO]


@pytest.mark.parametrize(
    ("message", "arguments", "expected"),
    [
        ("plain", (), "plain"),
        ("100% plain", (), "100% plain"),
        ("at /+t/x1/simple/", (), "at /+t/***/simple/"),
        ("at %s, %d", ("/+t/x1/simple/", 5), "at /+t/***/simple/, 5"),
        ("at /+t/%s/simple/", ("x1",), "at /+t/***/simple/"),
        ("%(path)s", ({"path": "/+t/x1/simple/"},), "/+t/***/simple/"),
        ("%s", (ValueError("https://token:x1@host/"),), "https://***@host/"),
        (ValueError("https://token:x1@host/"), (), "https://***@host/"),
    ],
)
def test_a_record_is_masked(
    output: Output, message: object, arguments: tuple[object, ...], expected: str
) -> None:
    logger, _, stream = output
    logger.warning(message, *arguments)
    assert stream.getvalue() == f"{expected}\n"


def test_a_record_with_wrong_arguments_shows_none_of_them(
    output: Output, capsys: pytest.CaptureFixture[str]
) -> None:
    logger, _, stream = output
    logger.warning("one %s", "/+t/x1/simple/", CUSTOM)  # noqa: PLE1205 - the mistake of another
    assert stream.getvalue() == "one %s (arguments withheld: they do not fit the message)\n"
    assert capsys.readouterr().err == ""


def test_an_access_log_that_formats_arguments_still_works(output: Output) -> None:
    logger, handler, stream = output
    handler.setFormatter(Access())
    logger.info("ignored")
    logger.setLevel(logging.INFO)
    logger.info('%s "%s %s" %d', "203.0.113.9", "GET", "/+t/x1/simple/foo/", 200)
    assert stream.getvalue() == "203.0.113.9 GET /+t/***/simple/foo/ 200\n"


@pytest.mark.parametrize(
    "name", ["granian.access", "gunicorn.access", "uvicorn.access", "werkzeug"]
)
@pytest.mark.parametrize("steering", ["\r\n", "\n", "\0", "\x1b[2J", "\x9b2J"])
def test_nobody_writes_a_line_of_an_access_log(output: Output, name: str, steering: str) -> None:
    path = f"/simple/a{steering}127.0.0.1 forged"
    for arguments in ((path,), ({"path": path},)):
        record = logging.LogRecord(name, logging.INFO, "x", 1, "GET %s", arguments, None)
        if isinstance(record.args, dict):
            record.msg = "GET %(path)s"
        assert RedactingFilter().filter(record)
        shown = record.getMessage()
        assert shown.startswith("GET /simple/a\\x")
        assert shown.isprintable()
        assert shown.endswith("127.0.0.1 forged")


def test_other_logs_keep_their_lines() -> None:
    record = logging.LogRecord("app", logging.INFO, "x", 1, "%s", ("one\ntwo",), None)
    assert RedactingFilter().filter(record)
    assert record.getMessage() == "one\ntwo"


def test_a_traceback_is_masked(output: Output) -> None:
    logger, _, stream = output
    try:
        int(f"cannot open https://token:{CUSTOM}@host/ with {SECRET}")
    except ValueError:
        logger.exception("failed")
    text = stream.getvalue()
    assert "with base 10: 'cannot open https://***@host/ with ***'" in text
    assert CUSTOM not in text
    assert SECRET not in text


def test_a_traceback_that_was_formatted_before_is_masked(output: Output) -> None:
    _, handler, stream = output
    record = logging.LogRecord("x", logging.ERROR, __file__, 1, "failed", None, None)
    record.exc_text = f"Traceback: {SECRET}"
    record.stack_info = f"Stack: {SECRET}"
    handler.handle(record)
    assert stream.getvalue() == "failed\nTraceback: ***\nStack: ***\n"


def test_every_handler_is_protected_once(output: Output) -> None:
    _, handler, _ = output
    protect_logs("tests.redaction")
    protect_logs("tests.redaction")
    assert [type(item) for item in handler.filters] == [RedactingFilter]


def test_the_last_resort_is_protected() -> None:
    protect_logs()
    assert logging.lastResort is not None
    assert any(isinstance(item, RedactingFilter) for item in logging.lastResort.filters)


def test_a_server_logger_is_protected() -> None:
    handler = logging.StreamHandler(sys.stderr)
    logger = logging.getLogger("gunicorn.access")
    logger.addHandler(handler)
    protect_logs()
    logger.removeHandler(handler)
    assert [type(item) for item in handler.filters] == [RedactingFilter]


def test_what_is_logged_before_a_server_adds_its_handler_is_masked() -> None:
    protect_logs()
    logger, stream = logging.getLogger("werkzeug"), io.StringIO()
    handler = logging.StreamHandler(stream)
    logger.addHandler(handler)
    logger.warning("GET %s", f"/%2Bt/{CUSTOM}/simple/")
    logger.removeHandler(handler)
    assert stream.getvalue() == "GET /%2Bt/***/simple/\n"


class Atoms(dict[str, object]):
    """As gunicorn's: a name that is missing is a dash."""

    def __missing__(self, name: str) -> str:
        return "-"


@pytest.mark.parametrize(
    ("user", "shown"), [(CUSTOM, "***"), (SECRET, "***"), ("token", "token"), ("-", "-")]
)
def test_a_user_name_that_may_be_a_secret_is_masked(output: Output, user: str, shown: str) -> None:
    logger, _, stream = output
    said = Atoms(u=user, r=f"GET /%2bt/{CUSTOM}/ HTTP/1.1", s=200)
    logger.warning('%(u)s "%(r)s" %(s)s %({x-foo}i)s', said)
    assert stream.getvalue() == f'{shown} "GET /%2bt/***/ HTTP/1.1" 200 -\n'


def test_arguments_of_any_mapping_are_masked() -> None:
    record = logging.LogRecord("x", logging.INFO, "", 1, "%(u)s", None, None)
    record.args = MappingProxyType({"u": CUSTOM})
    RedactingFilter().filter(record)
    assert record.getMessage() == "***"


def test_what_no_encoding_has_is_escaped(output: Output) -> None:
    """A line that a handler cannot write is lost, and with it whatever it was to say."""
    logger, _, stream = output
    logger.warning("caf\udce9 of %s, %s", "\ud800", "naïve")
    try:
        int("\udcff")
    except ValueError:
        logger.exception("it failed", stack_info=True)
    text = stream.getvalue()
    text.encode()
    assert text.startswith("caf\\udce9 of \\ud800, naïve\n")
    assert "ValueError: invalid literal" in text


def test_a_line_of_an_access_log_has_a_bounded_length() -> None:
    record = logging.LogRecord("granian.access", 20, "", 0, "%s", ("/" + "a" * 60_000,), None)
    assert RedactingFilter().filter(record)
    assert 8_000 < len(record.getMessage()) < 8_010
