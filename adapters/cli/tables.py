"""Manifests, aliases and differences as people read them. Pure: values in, text or a table out."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.cells import cell_len
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from adapters.cli.text import age, moment, plain, short, size, value_text
from adapters.registry.diff import Change, fields
from adapters.registry.manifest import Manifest, State
from adapters.registry.names import CANARY, LIVE
from adapters.registry.snapshot import Pointer, Snapshot

RIGHT = ("version", "rank", "size")


def table(
    rows: Sequence[Mapping[str, str]], columns: Iterable[str], *, folded: Sequence[str] = (), right: Collection[str] = RIGHT
) -> Table:
    """Aligned columns under their names, `right` ones at their right ends; one that is empty in every row is left out, and only `folded`
    ones may take several lines."""
    made = Table(box=None, pad_edge=False, header_style="bold")
    shown = [column for column in columns if any(row[column] for row in rows)]
    for column in shown:
        whole = None if column in folded else max(cell_len(text) for text in (column, *(plain(row[column]) for row in rows)))
        made.add_column(plain(column), justify="right" if column in right else "left", overflow="fold", min_width=whole)
    for row in rows:
        made.add_row(*(Text(plain(row[column])) for column in shown))
    return made


def pairs(values: Mapping[str, str]) -> Table:
    """One name and one value a line; empty values are left out."""
    made = Table(box=None, pad_edge=False, show_header=False)
    made.add_column(style="bold", min_width=max(map(cell_len, values)))
    made.add_column(overflow="fold")
    for name, value in values.items():
        if value:
            made.add_row(Text(plain(name)), Text(plain(value)))
    return made


def versions_table(manifests: Iterable[Manifest], snapshot: Snapshot, now: datetime) -> Table:
    """A line a version. The states are shown where one is not simply published."""
    rows = [_row(manifest, snapshot.pointers(manifest.community), now) for manifest in manifests]
    columns = ("community", "version", "state", "aliases", "rank", "size", "published", "by", "digest")
    usual = all(row["state"] == State.PUBLISHED for row in rows)
    return table(rows, [column for column in columns if not (usual and column == "state")])


def _row(manifest: Manifest, pointers: Mapping[str, Pointer], now: datetime) -> dict[str, str]:
    return {
        "community": manifest.community,
        "version": str(manifest.version),
        "state": manifest.state.value,
        "aliases": said(pointers, manifest.version),
        "rank": str(manifest.rank),
        "size": size(manifest.size_bytes),
        "published": age(manifest.published_at, now),
        "by": manifest.published_by,
        "digest": short(manifest.digest),
    }


def manifest_text(manifest: Manifest, pointers: Mapping[str, Pointer]) -> Group:
    """Everything that is known of one version but its report card, how it was trained by its figures."""
    known = {
        "adapter": str(manifest.ref),
        "state": manifest.state.value,
        "reason": manifest.reason or "",
        "aliases": said(pointers, manifest.version),
        "published": moment(manifest.published_at),
        "by": manifest.published_by,
        "rank": str(manifest.rank),
        "alpha": str(manifest.alpha),
        "modules": ", ".join(manifest.target_modules),
        "weights": f"{manifest.dtype}, {size(manifest.size_bytes)}",
        "digest": manifest.digest,
        "base": manifest.base_fingerprint,
        "override": overridden(manifest.override),
    }
    shown: list[RenderableType] = [pairs(known)]
    if manifest.training:
        shown += ["", "training", pairs({f"  {name}": value_text(value) for name, value in fields(manifest.training) if _is_short(value)})]
    return Group(*shown)


def overridden(override: Mapping[str, Any] | None) -> str:
    """Why a version may be live though it failed its gates, and who said so."""
    if override is None:
        return ""
    return f"{override.get('why')} ({override.get('by') or 'nobody said who'}, {moment(str(override.get('at')))})"


def _is_short(value: Any) -> bool:
    """Whether it can be read in a line: a loss curve cannot."""
    return not (isinstance(value, list) and (len(value) > 12 or any(isinstance(each, dict | list) for each in value)))


def changes_table(changes: Sequence[Change], before: Manifest, after: Manifest) -> Table:
    """A line a difference, numbers with how much they changed."""
    first, second = str(before.ref), str(after.ref)
    rows = [
        {
            "field": change.field,
            first: _value(change.field, change.before),
            second: _value(change.field, change.after),
            "change": delta(change),
        }
        for change in changes
    ]
    return table(rows, ("field", first, second, "change"), folded=(first, second))


def _value(field: str, value: Any) -> str:
    return moment(str(value)) if field == "published_at" else value_text(value)


def said(pointers: Mapping[str, Pointer], version: int) -> str:
    """The aliases that point at `version`, live first: "live, canary 10 %"."""
    here = sorted((alias for alias, pointer in pointers.items() if pointer.version == version), key=lambda alias: (alias != LIVE, alias))
    return ", ".join(f"{alias} {pointers[alias].share:g} %" if alias == CANARY else alias for alias in here)


def delta(change: Change) -> str:
    """How much a number grew or shrank; nothing for what is no number."""
    numbers = (change.before, change.after)
    if any(isinstance(value, bool) or not isinstance(value, int | float) for value in numbers):
        return ""
    return f"{change.after - change.before:+g}" if change.field != "version" else ""
