"""`troupe demo`, `adapters`, `publish` and `promote`: thin readers of arguments."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from adapters.registry import BadName, Manifest, Registry, RegistryError, read_base
from adapters.settings import home_folder

_HOME = click.option("--home", type=click.Path(path_type=Path), default=home_folder, help="TROUPE_HOME.")
_JSON = click.option("--json", "as_json", is_flag=True, help="For programs.")


@click.command()
@_HOME
def demo(home: Path) -> None:
    """Build the demo: a small base and two communities' adapters, all made here. `troupe up` does it when it is needed."""
    sys.exit(subprocess.run([sys.executable, "-m", "adapters.demo", "--home", str(home)], check=False).returncode)


@click.command()
@_HOME
@_JSON
def adapters(home: Path, as_json: bool) -> None:
    """List the published adapters and where their aliases point."""
    registry = Registry(home / "registry")
    rows = [
        {**manifest.to_json(), "aliases": [alias for alias, version in registry.aliases(name).items() if version == manifest.version]}
        for name in registry.communities()
        for manifest in registry.manifests(name)
    ]
    if as_json:
        click.echo(json.dumps(rows))
        return
    for row in rows:
        pointers = f"  ← {', '.join(row['aliases'])}" if row["aliases"] else ""
        click.echo(
            f"{row['community']}@{row['version']}  rank {row['rank']}  {row['size_bytes'] / 1e6:.1f} MB  {row['digest'][:23]}…{pointers}"
        )
    if not rows:
        click.echo(f"No adapter is published in {home}: `troupe publish DIR --community NAME --base DIR`.")


@click.command()
@click.argument("directory", type=click.Path(path_type=Path))
@click.option("--community", required=True, help="Whose adapter it is: lower-case letters, digits and dashes.")
@click.option("--base", type=click.Path(path_type=Path), required=True, help="Directory of the base it was trained on.")
@click.option("--quantization", default="bitsandbytes", show_default=True, help="How the base is served.")
@click.option("--max-rank", default=16, show_default=True, help="The largest rank the engine serves (TROUPE_ENGINE_MAX_LORA_RANK).")
@click.option("--promote", "make_live", is_flag=True, help="Make it the community's live adapter at once.")
@_HOME
@_JSON
def publish(
    directory: Path, community: str, base: Path, quantization: str, max_rank: int, make_live: bool, home: Path, as_json: bool
) -> None:
    """Check the adapter in DIRECTORY and store it as the community's next version. No alias moves unless asked."""
    with _sentences():
        registry = Registry(home / "registry")
        manifest = registry.publish(community, directory, base=read_base(base, quantization), max_rank=max_rank)
        if make_live:
            registry.promote(community, manifest.version)
    _say(manifest, "published and live" if make_live else "published", as_json)


@click.command()
@click.argument("community")
@click.argument("version", type=click.IntRange(min=1))
@click.option("--alias", default="live", show_default=True)
@_HOME
@_JSON
def promote(community: str, version: int, alias: str, home: Path, as_json: bool) -> None:
    """Point a community's alias at one of its versions; requests follow at once, nothing restarts."""
    with _sentences():
        manifest = Registry(home / "registry").promote(community, version, alias)
    _say(manifest, f"is {alias} now", as_json)


@contextmanager
def _sentences() -> Iterator[None]:
    """One sentence and exit code 1 (2 for a name that cannot be one) instead of a traceback."""
    try:
        yield
    except RegistryError as exc:
        click.echo(f"troupe: {exc}", err=True)
        sys.exit(2 if isinstance(exc, BadName) else 1)
    except OSError as exc:
        click.echo(f"troupe: {exc.filename or 'The registry'} cannot be used: {exc.strerror}.", err=True)
        sys.exit(1)


def _say(manifest: Manifest, what: str, as_json: bool) -> None:
    click.echo(json.dumps(manifest.to_json()) if as_json else f"{manifest.community}@{manifest.version} {what}: {manifest.digest}")
