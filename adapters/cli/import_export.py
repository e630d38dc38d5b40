"""`troupe import`: a thin reader of arguments, and what it tells of an import."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from rich.console import Group, RenderableType

from adapters.cli.command import Result, on_workspace, tell
from adapters.cli.stages import Watch, stages
from adapters.cli.tables import pairs, table
from adapters.cli.text import moment, size
from adapters.cli.upkeep import counted
from adapters.curation.privacy.identity import network_of
from adapters.curation.privacy.provenance import DECLARABLE, declare
from adapters.sources.source import open_source
from adapters.workspace.imports import Import, Wish
from adapters.workspace.people import open_members
from adapters.workspace.workspace import Workspace

STAGE = "Reading messages"


@dataclass(frozen=True)
class Order:
    """What is to be imported, and on which terms."""

    path: Path
    provenance: str | None
    note: str = ""
    opt_out: Path | None = None
    opt_in: Path | None = None
    private: bool = False


def ordered(command: Any) -> Any:
    """The options of an import, for the commands that have them."""
    choices = ", ".join(DECLARABLE)
    for option in (
        click.option("--private", is_flag=True, help="Keep direct messages, groups and private threads: only if everybody in them agreed."),
        click.option("--opt-in", type=click.Path(path_type=Path), help="A file of ids: nobody else is learnt from."),
        click.option("--opt-out", type=click.Path(path_type=Path), help="A file of ids of people who said no, one on each line."),
        click.option("--note", default="", help="More about where it comes from, in your own words."),
        click.option("--provenance", metavar="WHAT", help=f"Where it comes from, and why a model may learn from it: {choices}."),
    ):
        command = option(command)
    return command


@click.command("import")
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--community", required=True, help="Whose messages they are: lower-case letters, digits and dashes.")
@ordered
@on_workspace
def import_export(home: Path, *, path: Path, community: str, **terms: Any) -> Result:
    """Read an export of a community's messages: a file, a folder or a zip.

    DiscordChatExporter's JSON, Discord's data package, imageboard threads as JSON, or a chat as JSONL. Several imports of one community are
    read as one; of a message that several have, the last import counts.
    """
    workspace = Workspace.open(home, community)
    with stages() as watch, workspace.locked():
        made, new = add(workspace, Order(path, **terms), watch)
    return Result(told(made, new), shown(workspace, made, new))


def add(workspace: Workspace, order: Order, watch: Watch) -> tuple[Import, bool]:
    """The import, and whether it is new. Hold the lock. Raises SourceError, PrivacyError or WorkspaceError."""
    source = open_source(order.path)
    provenance = declare(order.provenance, source.kind, order.note)
    for warning in provenance.warnings:
        tell(warning)
    members = open_members(workspace).with_lists(network_of(source.kind), out=order.opt_out, agreed=order.opt_in)
    wish = Wish(provenance.to_json(), private=order.private, keep=members.may_stay if members.consent.out else None)
    made, new = workspace.add_import(source, wish, lambda done, total: watch(STAGE, done, total, f"{size(done)} of {size(total)}"))
    members.save()
    return made, new


def told(made: Import, new: bool) -> dict[str, Any]:
    """For programs: import.json, with the import's name."""
    return {"import": made.id, "new": new, **made.known}


def shown(workspace: Workspace, made: Import, new: bool) -> RenderableType:
    """What was read and dropped, and why; then what to do."""
    known: Mapping[str, Any] = made.known
    report, left_out = known["report"], known["left_out"]
    read = [counted(report[name], noun) for name, noun in (("messages", "message"), ("authors", "author"), ("channels", "channel"))]
    facts = {
        "Import": made.id if new else f"{made.id}, which was there already",
        "Read": f"{read[0]} of {read[1]} in {read[2]}",
        "From": f"{report['kind']}, {counted(report['files'], 'file')}, {size(report['bytes'])}",
        "Time": f"{moment(report['first'])} to {moment(report['last'])}",
        "With reactions": f"{report['reacted']:,}",
        "Left out": f"{left_out['messages']:,} messages that are private or of people who opted out" if left_out["messages"] else "",
        "Kept": f"{known['messages']:,} messages",
        "Provenance": known["provenance"]["kind"],
    }
    parts: list[RenderableType] = [pairs(facts)]
    if report["dropped"]:
        rows = [
            {"dropped": f"{count:,}", "why": reason, "for example": "; ".join(report["places"].get(reason, ()))[:200]}
            for reason, count in sorted(report["dropped"].items(), key=lambda each: (-each[1], each[0]))
        ]
        parts += ["", table(rows, ("dropped", "why", "for example"), folded=("for example",))]
    parts += ["", *report["notes"]] if report["notes"] else []
    return Group(*parts, "", f"`troupe curate --community {workspace.community}` makes a dataset of it.")
