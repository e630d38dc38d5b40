"""`troupe publish`: a thin reader of arguments."""

from dataclasses import replace
from pathlib import Path

import click

from adapters.cli.adapter_files import read_document
from adapters.cli.aliases import override_option, warn_ungraded, warn_untried
from adapters.cli.cards import verdict
from adapters.cli.command import Result, on_registry, tell, workspace_home
from adapters.cli.errors import BadUsage, CommandError
from adapters.cli.progress import uploading
from adapters.cli.registrar import Published, Registrar, Sent, Upload
from adapters.cli.text import short, size
from adapters.registry.errors import RegistryError
from adapters.registry.names import LIVE
from adapters.registry.validation import CONFIG
from adapters.workspace.runs import RUNS, Run, run_named, workspace_folder


@click.command()
@click.argument("directory", type=click.Path(path_type=Path), required=False)
@click.option("--run", "run", metavar="NAME", help="Publish a run of the workspace: its name, or `latest`.")
@click.option("--community", required=True, help="Whose adapter it is: lower-case letters, digits and dashes.")
@click.option("--by", default="", help="Who publishes it, for the record.")
@click.option("--training", type=click.Path(path_type=Path), help="How it was trained: a JSON object, kept with the version.")
@click.option("--report-card", type=click.Path(path_type=Path), help="Its evaluation: a JSON object, kept with the version.")
@click.option("--promote", "make_live", is_flag=True, help="Make it the community's live adapter at once.")
@override_option
@click.option("--base", type=click.Path(path_type=Path), help="Without a gateway: the base it was made for.  [default: TROUPE_BASE]")
@click.option("--quantization", help="Without a gateway: how the base is served.  [default: TROUPE_ENGINE_QUANTIZATION, or bitsandbytes]")
@click.option(
    "--max-rank",
    type=click.IntRange(min=1),
    help="Without a gateway: the largest rank that is served.  [default: TROUPE_ENGINE_MAX_LORA_RANK, or 16]",
)
@on_registry
def publish(
    registrar: Registrar,
    *,
    directory: Path | None,
    run: str | None,
    community: str,
    by: str,
    training: Path | None,
    report_card: Path | None,
    make_live: bool,
    override: str,
) -> Result:
    """Check the adapter in DIRECTORY and store it as the community's next version.

    DIRECTORY holds an adapter's two files, or is a run of the factory: then its training manifest and its report card go with it. No alias
    moves unless asked. The same adapter again keeps the version that it has.
    """
    if override and not make_live:
        raise BadUsage("--override is for --promote: a version may be published without passing its gates.")
    upload = chosen(directory, run, community)
    if training is not None:
        upload = replace(upload, training=read_document(training))
    if report_card is not None:
        upload = replace(upload, report_card=read_document(report_card))
    with uploading() as sent:
        published = send(registrar, replace(upload, by=by), sent, make_live=make_live, override=override)
    return Result(published.manifest.to_json(), sentence(published, make_live))


def chosen(directory: Path | None, run: str | None, community: str) -> Upload:
    """What DIRECTORY or --run means. Raises BadUsage or WorkspaceError."""
    if (directory is None) == (run is None):
        raise BadUsage("Which adapter? Give its DIRECTORY, or `--run latest`.")
    if run is not None:
        folder = workspace_folder(workspace_home(click.get_current_context()), community) / RUNS
        return upload_of(run_named(folder, run, community), community)
    assert directory is not None
    if (directory / "adapter").is_dir() and not (directory / CONFIG).exists():
        return upload_of(Run(directory), community)
    return Upload(community, directory)


def upload_of(run: Run, community: str) -> Upload:
    """A run's adapter with what is known of it. Raises WorkspaceError, also where it learnt from somebody who is forgotten."""
    return Upload(community, run.check().adapter, training=run.training(), report_card=run.card())


def send(registrar: Registrar, upload: Upload, sent: Sent, *, make_live: bool, override: str = "") -> Published:
    """Publish, and promote where that is asked for. Raises CommandError or RegistryError; the person is told how far it came."""
    published = registrar.publish(upload, sent)
    manifest = published.manifest
    if not published.new and upload.report_card is not None and manifest.report_card != upload.report_card:
        tell(f"{manifest.ref} keeps the report card that it was first published with ({verdict(manifest.report_card)}).")
    if make_live:
        try:
            manifest = registrar.promote(upload.community, manifest.version, alias=LIVE, override=override).manifest
        except (CommandError, RegistryError):
            tell(f"{manifest.ref} is published, but it is not live.")
            raise
        warn_untried(registrar, manifest)
        warn_ungraded(manifest)
    return replace(published, manifest=manifest)


def sentence(published: Published, live: bool) -> str:
    """What happened, and what can be done next."""
    manifest = published.manifest
    known = f"rank {manifest.rank}, {size(manifest.size_bytes)}, {short(manifest.digest)}"
    done = f"{manifest.ref} is published: {known}." if published.new else f"These bytes are published already, as {manifest.ref}: {known}."
    if live:
        return f"{done}\n{manifest.ref} is live."
    return f"{done}\n`troupe promote {manifest.community} {manifest.version}` makes it live."
