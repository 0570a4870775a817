"""``entitlements package``: the packages of a repository, and the vendor's tags on them."""

from typing import TYPE_CHECKING, Annotated

import typer

from entitlements_core.cli.console import emit, show_table
from entitlements_core.cli.options import TIME, DirectoriesOption, JsonOption, of_repository
from entitlements_core.cli.session import session
from entitlements_core.documents.package import file_document, tagged_document, uploaded_document
from entitlements_core.documents.values import instant, read_time, readable_bytes
from entitlements_core.engine.repository_files import known_files

if TYPE_CHECKING:
    from entitlements_core.policy.package_tags import TaggedPackage

__all__ = ["app"]

app = typer.Typer(
    help="The packages of a repository: their files, upload times, and tags for tag:NAME.",
    no_args_is_help=True,
)

PackageRepositoryOption = Annotated[str, of_repository("Whose packages they are.")]
PackageArgument = Annotated[
    str,
    typer.Argument(
        metavar="PROJECT[==VERSION]", help="One version, or every one, also those to come."
    ),
]
TagsArgument = Annotated[list[str], typer.Argument(metavar="TAG...", help="One word or several.")]
ProjectArgument = Annotated[str, typer.Argument(metavar="[PROJECT]", help="Only this one.")]


@app.command("tag")
def tag(
    context: typer.Context,
    package: PackageArgument,
    tags: TagsArgument,
    *,
    repo: PackageRepositoryOption,
    as_json: JsonOption = False,
) -> None:
    """Tag a package. Queries see it from the next request on.

    The tag may be given before there is such a file. `latest` is reserved: the files of a project's
    latest version have it by themselves.
    """
    run = session(context)
    with run.open(repositories=[repo]) as core:
        found = core.package_tags.add(repo, package, tags, actor=run.actor)
    _emit(found, as_json=as_json)


@app.command("untag")
def untag(
    context: typer.Context,
    package: PackageArgument,
    tags: TagsArgument,
    *,
    repo: PackageRepositoryOption,
    as_json: JsonOption = False,
) -> None:
    """Take tags from a package, named as it was tagged."""
    run = session(context)
    with run.open(repositories=[repo]) as core:
        found = core.package_tags.remove(repo, package, tags, actor=run.actor)
    _emit(found, as_json=as_json)


@app.command("tags")
def tags_(
    context: typer.Context,
    project: ProjectArgument = "",
    *,
    repo: PackageRepositoryOption,
    as_json: JsonOption = False,
) -> None:
    """List the tags that were given, of every version of a project first."""
    with session(context).open(repositories=[repo]) as core:
        tags = core.package_tags
        found = tags.of(repo, project) if project else tags.all(repo)
    rows = [(str(one.package), ", ".join(one.tags)) for one in found]
    emit(
        [tagged_document(one) for one in found],
        lambda console: show_table(console, ["Package", "Tags"], rows),
        as_json=as_json,
    )


@app.command("list")
def list_(
    context: typer.Context,
    project: ProjectArgument = "",
    *,
    repo: PackageRepositoryOption,
    directories: DirectoriesOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the files of a repository, each with all tags that a query finds it by.

    Of a file that no server has seen yet, the upload time is the one that it would get now.
    """
    from entitlements_core.policy.package_tags import Package  # noqa: PLC0415 - a fast start

    only = Package.parse(project).project if project else None
    with session(context).open(repositories=[repo]) as core:
        files = known_files(core, repo, directories or []).values()
        given = core.reader.package_tags(repo)
    found = [
        (facts, sorted(facts.tags | given.of(facts.name, facts.version)))
        for facts in files
        if only in {None, facts.name}
    ]
    rows = [
        (
            facts.filename,
            str(facts.version),
            readable_bytes(facts.size),
            instant(facts.uploaded_at) or "not known",
            ", ".join(tags),
        )
        for facts, tags in found
    ]
    emit(
        [file_document(facts, tags) for facts, tags in found],
        lambda console: show_table(console, ["File", "Version", "Size", "Uploaded", "Tags"], rows),
        as_json=as_json,
    )


@app.command("uploaded")
def uploaded(  # noqa: PLR0913 - what is set, where, and how it is shown
    context: typer.Context,
    file: Annotated[str, typer.Argument(metavar="FILE", help="The name of a distribution file.")],
    moment: Annotated[str, typer.Argument(metavar="TIME", help=TIME)],
    *,
    repo: PackageRepositoryOption,
    sha256: Annotated[
        str,
        typer.Option(
            "--sha256",
            metavar="DIGEST",
            help="Which contents, where there were several of that name; 8 characters will do.",
        ),
    ] = "",
    as_json: JsonOption = False,
) -> None:
    """Say when a file was uploaded, which `--updates-until` and `uploaded:` ask for.

    By itself a file is uploaded when it is first seen with its contents, whatever time the file
    system has of it. Running servers see the change within a second.
    """
    run = session(context)
    at = read_time("uploaded_at", moment)
    with run.open(repositories=[repo]) as core:
        found = core.upload_times.set(repo, file, at, sha256=sha256, actor=run.actor)
    emit(
        uploaded_document(found),
        lambda console: console.print(f"{found.filename} was uploaded {instant(found.at)}."),
        as_json=as_json,
    )


def _emit(found: "TaggedPackage", *, as_json: bool) -> None:
    has = f"has the tags {', '.join(found.tags)}" if found.tags else "has no tags"
    emit(
        tagged_document(found),
        lambda console: console.print(f"{found.package} {has}."),
        as_json=as_json,
    )
