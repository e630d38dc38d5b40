"""`troupe publish`: a thin reader of arguments."""

from pathlib import Path

import click

from adapters.cli.adapter_files import read_document
from adapters.cli.aliases import warn_untried
from adapters.cli.command import Result, on_registry, tell
from adapters.cli.errors import CommandError
from adapters.cli.progress import uploading
from adapters.cli.registrar import Published, Registrar, Upload
from adapters.cli.text import short, size
from adapters.registry.errors import RegistryError
from adapters.registry.names import LIVE


@click.command()
@click.argument("directory", type=click.Path(path_type=Path))
@click.option("--community", required=True, help="Whose adapter it is: lower-case letters, digits and dashes.")
@click.option("--by", default="", help="Who publishes it, for the record.")
@click.option("--training", type=click.Path(path_type=Path), help="How it was trained: a JSON object, kept with the version.")
@click.option("--report-card", type=click.Path(path_type=Path), help="Its evaluation: a JSON object, kept with the version.")
@click.option("--promote", "make_live", is_flag=True, help="Make it the community's live adapter at once.")
@click.option("--base", type=click.Path(path_type=Path), help="Without a gateway: the base it was made for.  [default: TROUPE_BASE]")
@click.option("--quantization", help="Without a gateway: how the base is served.  [default: TROUPE_ENGINE_QUANTIZATION, or bitsandbytes]")
@click.option(
    "--max-rank",
    type=click.IntRange(min=1),
    help="Without a gateway: the largest rank that is served.  [default: TROUPE_ENGINE_MAX_LORA_RANK, or 16]",
)
@on_registry
def publish(
    registrar: Registrar, *, directory: Path, community: str, by: str, training: Path | None, report_card: Path | None, make_live: bool
) -> Result:
    """Check the adapter in DIRECTORY and store it as the community's next version.

    No alias moves unless asked. The same adapter again keeps the version that it has.
    """
    upload = Upload(community, directory, by=by, training=read_document(training), report_card=read_document(report_card))
    with uploading() as sent:
        published = registrar.publish(upload, sent)
    manifest = published.manifest
    if make_live:
        try:
            manifest = registrar.promote(community, manifest.version, alias=LIVE).manifest
        except (CommandError, RegistryError):
            tell(f"{manifest.ref} is published, but it is not live.")
            raise
        warn_untried(registrar, manifest)
    return Result(manifest.to_json(), sentence(published, make_live))


def sentence(published: Published, live: bool) -> str:
    """What happened, and what can be done next."""
    manifest = published.manifest
    known = f"rank {manifest.rank}, {size(manifest.size_bytes)}, {short(manifest.digest)}"
    done = f"{manifest.ref} is published: {known}." if published.new else f"These bytes are published already, as {manifest.ref}: {known}."
    if live:
        return f"{done}\n{manifest.ref} is live."
    return f"{done}\n`troupe promote {manifest.community} {manifest.version}` makes it live."
