"""`troupe gc` and `troupe verify`: thin readers of arguments."""

from dataclasses import asdict

import click
from rich.console import Group
from rich.table import Table

from adapters.cli.command import FAILED, Result, on_registry
from adapters.cli.progress import waiting
from adapters.cli.registrar import Damaged, Registrar
from adapters.cli.tables import table
from adapters.cli.text import short, size
from adapters.registry.registry import Garbage
from adapters.registry.snapshot import Snapshot


@click.command()
@on_registry
def gc(registrar: Registrar) -> Result:
    """Remove stored bytes that no version needs: of retired ones, and what uploads left that were cut off."""
    with waiting("Looking for what no version needs"):
        garbage = registrar.gc()
    content = {"removed": list(garbage.removed), "uploads": garbage.uploads}
    return Result(content, freed(garbage, registrar.snapshot()))


def freed(garbage: Garbage, snapshot: Snapshot) -> str:
    """What was removed, by the versions that it was of, where they are known."""
    if not garbage.removed and not garbage.uploads:
        return "Nothing to remove: all stored bytes are needed."
    manifests = [manifest for community in snapshot.communities() for manifest in snapshot.manifests(community)]
    lines = []
    for digest in garbage.removed:
        owners = [manifest for manifest in manifests if manifest.digest == digest]
        known = f"{', '.join(str(owner.ref) for owner in owners)}, {size(owners[0].size_bytes)}" if owners else "of no version"
        lines.append(f"Removed {short(digest)} ({known}).")
    if garbage.uploads:
        lines.append(f"Removed {counted(garbage.uploads, 'unfinished upload')}.")
    return "\n".join(lines)


@click.command()
@on_registry
def verify(registrar: Registrar) -> Result:
    """Read all stored adapters and compare them with their digests. Exit code 1 if one is damaged."""
    with waiting("Reading all stored adapters"):
        verdict = registrar.verify()
    content = {"checked": verdict.checked, "damaged": [asdict(damaged) for damaged in verdict.damaged]}
    checked = counted(verdict.checked, "version")
    if not verdict.damaged:
        return Result(content, f"All is well: {checked} checked, and every byte is the one that was published.")
    count = len(verdict.damaged)
    return Result(
        content, Group(f"{checked} checked, {count} of them damaged: publish what is damaged again.", damages(verdict.damaged)), FAILED
    )


def damages(damaged: tuple[Damaged, ...]) -> Table:
    rows = [
        {"community": each.community, "version": str(each.version), "digest": short(each.digest), "reason": each.reason} for each in damaged
    ]
    return table(rows, ("community", "version", "digest", "reason"), folded=("reason",))


def counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
