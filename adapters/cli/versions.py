"""`troupe ls`, `show`, `diff` and `retire`: thin readers of arguments."""

from datetime import UTC, datetime

import click
from rich.console import Group, RenderableType

from adapters.cli.aliases import VERSION
from adapters.cli.cards import card_summary
from adapters.cli.command import Result, on_registry
from adapters.cli.registrar import Registrar
from adapters.cli.tables import changes_table, manifest_text, versions_table
from adapters.cli.text import size
from adapters.registry.diff import changes
from adapters.registry.manifest import Manifest
from adapters.registry.names import CANARY
from adapters.registry.snapshot import Snapshot


@click.command()
@on_registry
def ls(registrar: Registrar) -> Result:
    """List the published adapters and where their aliases point."""
    snapshot = registrar.snapshot()
    manifests = [manifest for community in snapshot.communities() for manifest in snapshot.manifests(community)]
    content = [_listed(manifest, snapshot) for manifest in manifests]
    if not manifests:
        return Result(content, "No adapter is published yet: `troupe publish DIRECTORY --community NAME`.")
    return Result(content, versions_table(manifests, snapshot, datetime.now(UTC)))


@click.command()
@click.argument("community")
@click.argument("version", type=VERSION, required=False)
@on_registry
def show(registrar: Registrar, *, community: str, version: int | None) -> Result:
    """Show all that is known of one version, or all versions of a community."""
    snapshot = registrar.snapshot(community)
    if version is None:
        manifests = snapshot.manifests(community)
        aliases = {alias: {"version": each.version, "share": each.share} for alias, each in snapshot.pointers(community).items()}
        content = {"community": community, "aliases": aliases, "adapters": [manifest.to_json() for manifest in manifests]}
        return Result(content, versions_table(manifests, snapshot, datetime.now(UTC)))
    manifest = registrar.show(community, version)
    shown: list[RenderableType] = [manifest_text(manifest, snapshot.pointers(community))]
    if manifest.report_card:
        shown += ["", "report card", card_summary(manifest.report_card)]
    return Result(_listed(manifest, snapshot), Group(*shown))


@click.command()
@click.argument("community")
@click.argument("first", metavar="A", type=VERSION)
@click.argument("second", metavar="B", type=VERSION)
@on_registry
def diff(registrar: Registrar, *, community: str, first: int, second: int) -> Result:
    """Show what differs between versions A and B, their cards included."""
    before, after = registrar.show(community, first), registrar.show(community, second)
    found = changes(before, after)
    content = {"from": first, "to": second, "changes": [change.to_json() for change in found]}
    return Result(content, changes_table(found, before, after) if found else f"{before.ref} and {after.ref} are the same.")


@click.command()
@click.argument("community")
@click.argument("version", type=VERSION)
@on_registry
def retire(registrar: Registrar, *, community: str, version: int) -> Result:
    """Serve a version never again. The next `troupe gc` frees its bytes."""
    manifest = registrar.retire(community, version)
    return Result(manifest.to_json(), f"{manifest.ref} is retired: `troupe gc` frees its {size(manifest.size_bytes)}.")


def _listed(manifest: Manifest, snapshot: Snapshot) -> dict[str, object]:
    """A manifest with the aliases that point at it; `share` is the percentage that it answers as the canary, null if it is none."""
    pointing = {alias: pointer for alias, pointer in snapshot.pointers(manifest.community).items() if pointer.version == manifest.version}
    return {**manifest.to_json(), "aliases": sorted(pointing), "share": pointing[CANARY].share if CANARY in pointing else None}
