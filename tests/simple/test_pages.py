"""Pages are read back by two independent parsers, and every field is compared."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from html.parser import HTMLParser
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mousebender import simple as mousebender
from pypi_simple import DistributionPackage, IndexPage, ProjectPage

from entitlements_core.simple import (
    NOTHING_SPECIAL,
    FileEntry,
    ProjectMeta,
    ProjectStatus,
    file_url,
    html_fragment,
    html_name,
    json_fragment,
    json_name,
    json_uploaded,
    list_html,
    list_json,
    project_html,
    project_json,
)

BASE = "https://index.example/+t/SECRET/acme/main/simple/lab-foo/"
WHEEL = "lab_foo-1.0+cu12-py3-none-any.whl"
PLAIN = FileEntry(
    filename=WHEEL,
    url=file_url(WHEEL),
    sha256="a" * 64,
    size=1234,
    upload_time=datetime(2026, 1, 2, 3, 4, 5, 678, UTC),
)
FULL = replace(
    PLAIN,
    requires_python='>=3.8,<4; "odd"',
    yanked="a \"quoted\" <b>reason</b> & more\r\nX: 'y'\t.",
    core_metadata_sha256="b" * 64,
    provenance="https://index.example/lab.provenance?a=1&b=2",
)
SDIST = replace(
    PLAIN, filename="lab_foo-0.9.tar.gz", url=file_url("lab_foo-0.9.tar.gz"), yanked="", sha256=""
)
ENTRIES = [FULL, PLAIN, SDIST]
META = ProjectMeta(
    status=ProjectStatus.DEPRECATED,
    status_reason='use "lab-bar" & <be happy>',
    tracks=("https://one.example/simple/lab-foo/", "https://two.example/?a&b"),
    alternate_locations=("https://three.example/simple/lab-foo/",),
)


def html_page(*entries: FileEntry, meta: ProjectMeta = NOTHING_SPECIAL) -> bytes:
    return project_html("lab-foo", map(html_fragment, entries), meta)


def json_page(*entries: FileEntry, meta: ProjectMeta = NOTHING_SPECIAL) -> bytes:
    return project_json("lab-foo", map(json_fragment, entries), ["0.9", "1.0+cu12"], meta)


def same(package: DistributionPackage, entry: FileEntry) -> None:
    assert package.filename == entry.filename
    assert package.url == "https://index.example/+t/SECRET/acme/main/packages/" + (
        entry.url.removeprefix("../../packages/")
    )
    assert package.digests == ({"sha256": entry.sha256} if entry.sha256 else {})
    assert package.requires_python == entry.requires_python
    assert package.is_yanked == (entry.yanked is not None)
    assert (package.yanked_reason or None) == (entry.yanked or None)
    assert package.provenance_url == entry.provenance
    digest = entry.core_metadata_sha256
    assert package.metadata_digests == (None if digest is None else {"sha256": digest})


def test_pypi_simple_reads_every_field_of_the_html_page() -> None:
    page = ProjectPage.from_html("lab-foo", html_page(*ENTRIES, meta=META), BASE)
    for package, entry in zip(page.packages, ENTRIES, strict=True):
        same(package, entry)
    assert (page.status, page.status_reason) == (META.status, META.status_reason)
    assert page.tracks == list(META.tracks)
    assert page.alternate_locations == list(META.alternate_locations)


def test_pypi_simple_reads_every_field_of_the_json_page() -> None:
    page = ProjectPage.from_json_data(json.loads(json_page(*ENTRIES, meta=META)), BASE)
    for package, entry in zip(page.packages, ENTRIES, strict=True):
        same(package, entry)
        assert package.size == entry.size
        assert package.upload_time == entry.upload_time
    assert page.project == "lab-foo"
    assert page.versions == ["0.9", "1.0+cu12"]
    assert (page.status, page.status_reason) == (META.status, META.status_reason)
    assert page.tracks == list(META.tracks)
    assert page.alternate_locations == list(META.alternate_locations)


def test_mousebender_reads_both_pages_alike() -> None:
    html = mousebender.from_project_details_html(html_page(PLAIN, SDIST).decode(), "lab-foo")
    data = mousebender.parse_project_details(
        json_page(PLAIN, SDIST).decode(), mousebender.ACCEPT_JSON_V1, "lab-foo"
    )
    for one, other, entry in zip(html["files"], data["files"], [PLAIN, SDIST], strict=True):
        assert one["filename"] == other["filename"] == entry.filename
        assert one["url"] == other["url"] == entry.url
        assert one["hashes"] == other["hashes"]
        assert one.get("yanked") == other.get("yanked") == (entry.yanked is not None or None)


def test_mousebender_reads_the_options_of_a_file() -> None:
    entry = replace(FULL, provenance=None)
    (file,) = mousebender.from_project_details_html(html_page(entry).decode(), "lab-foo")["files"]
    (same_file,) = json.loads(json_page(entry))["files"]
    for key in ("requires-python", "yanked", "core-metadata"):
        assert file[key] == same_file[key]
    assert file["yanked"] == FULL.yanked
    assert file["core-metadata"] == file["dist-info-metadata"] == {"sha256": "b" * 64}
    assert "dist-info-metadata" not in same_file


@pytest.mark.parametrize(
    ("entry", "meta", "html", "data"),
    [
        (PLAIN, NOTHING_SPECIAL, "1.0", "1.1"),
        (PLAIN, ProjectMeta(tracks=("https://a.example/",)), "1.2", "1.2"),
        (PLAIN, ProjectMeta(alternate_locations=("https://a.example/",)), "1.2", "1.2"),
        (FULL, ProjectMeta(tracks=("https://a.example/",)), "1.3", "1.3"),
        (FULL, ProjectMeta(status=ProjectStatus.ACTIVE), "1.4", "1.4"),
        (
            replace(PLAIN, yanked='"provenance":" data-provenance=",\\"provenance":"'),
            NOTHING_SPECIAL,
            "1.0",
            "1.1",
        ),
    ],
)
def test_a_page_states_the_lowest_version_that_defines_it(
    entry: FileEntry, meta: ProjectMeta, html: str, data: str
) -> None:
    page = ProjectPage.from_html("lab-foo", html_page(entry, meta=meta))
    assert page.repository_version == html
    assert json.loads(json_page(entry, meta=meta))["meta"]["api-version"] == data


def test_a_status_needs_no_reason_and_a_reason_alone_is_not_shown() -> None:
    archived = ProjectMeta(status=ProjectStatus.ARCHIVED)
    assert json.loads(json_page(meta=archived))["project-status"] == {"status": "archived"}
    assert b"project-status-reason" not in html_page(meta=archived)
    assert b"reason" not in json_page(meta=ProjectMeta(status_reason="no status"))


def test_times_are_shown_in_utc_with_microseconds() -> None:
    eastern = timezone(timedelta(hours=-5))
    entry = replace(PLAIN, upload_time=datetime(2026, 1, 1, 22, 0, tzinfo=eastern))
    assert json.loads(json_fragment(entry))["upload-time"] == "2026-01-02T03:00:00.000000Z"


def test_a_time_that_is_not_known_is_not_stated() -> None:
    undated = json_fragment(replace(FULL, upload_time=None))
    assert "upload-time" not in json.loads(undated)
    assert FULL.upload_time is not None
    assert json_uploaded(undated, FULL.upload_time) == json_fragment(FULL)


def test_a_link_never_leaves_the_prefix_of_the_page() -> None:
    assert file_url("../a b%2f#?.whl") == "../../packages/..%2Fa%20b%252f%23%3F.whl"
    assert file_url(WHEEL) == "../../packages/lab_foo-1.0%2Bcu12-py3-none-any.whl"


def test_lists_hold_every_project() -> None:
    names = ["lab-foo", "lab-bar", 'od"d<&>']
    html, data = list_html(map(html_name, names)), list_json(map(json_name, names))
    assert IndexPage.from_html(html).projects == names
    assert IndexPage.from_json_data(json.loads(data)).projects == names
    assert mousebender.from_project_index_html(html.decode())["projects"][0] == {"name": "lab-foo"}
    assert b'<a href="lab-foo/">' in html
    assert json.loads(list_json([])) == {"meta": {"api-version": "1.0"}, "projects": []}
    assert IndexPage.from_html(list_html([])).projects == []


class Tags(HTMLParser):
    """Collects the tags and the attributes of the anchors."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.anchors: list[dict[str, str | None]] = []
        self.feed(page.decode("utf-8"))
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag == "a":
            self.anchors.append(dict(attrs))


def fit(text: str) -> str:
    """What a hostile text becomes: what no page may hold is replaced."""
    return "".join(
        "\ufffd"
        if (ord(c) < 32 and c not in "\t\r\n") or c == "\x7f" or "\ud800" <= c <= "\udfff"
        else c
        for c in text
    )


hostile = st.text(st.characters(codec=None) | st.sampled_from("\"'<>&\r\n\0\x85\ud800;=/#%"))


@given(hostile, hostile, hostile)
def test_no_text_breaks_out_of_its_place(filename: str, reason: str, requires: str) -> None:
    entry = replace(
        PLAIN,
        filename=filename,
        url=file_url(filename),
        requires_python=requires,
        yanked=reason,
    )
    read = Tags(html_page(entry))
    (anchor,) = read.anchors
    assert read.tags == ["html", "head", "meta", "meta", "title", "body", "h1", "a", "br"]
    assert set(anchor) == {"href", "data-requires-python", "data-yanked"}
    assert anchor["data-yanked"] == fit(reason)
    assert anchor["data-requires-python"] == fit(requires)
    assert unquote(str(anchor["href"])).startswith("../../packages/" + fit(filename))

    (file,) = json.loads(json_page(entry))["files"]
    assert file["filename"] == fit(filename)
    assert file["yanked"] == (fit(reason) or True)
    assert file["requires-python"] == fit(requires)
    json.dumps(file).encode("utf-8")


@given(hostile)
def test_a_hostile_project_name_or_status_reason_stays_text(text: str) -> None:
    meta = ProjectMeta(status=ProjectStatus.ACTIVE, status_reason=text)
    page = Tags(project_html(text, [], meta))
    assert page.tags.count("meta") == 4
    assert "script" not in page.tags
    data = json.loads(project_json(text, [], [], meta))
    assert (data["name"], data["project-status"]["reason"]) == (fit(text), fit(text))
    assert len(Tags(list_html([html_name(text)])).anchors) == 1
