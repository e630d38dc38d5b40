"""`troupe import`: a thin reader of arguments, and what it tells of an import."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from rich.console import Group, RenderableType

from adapters.cli.access import Access
from adapters.cli.command import Result, on_workspace, tell
from adapters.cli.loop import Loop, SaidNo
from adapters.cli.stages import Watch, stages
from adapters.cli.tables import pairs, table
from adapters.cli.text import moment, size
from adapters.cli.upkeep import counted
from adapters.curation.privacy.identity import Network, network_of, written_id
from adapters.curation.privacy.provenance import DECLARABLE, declare
from adapters.sources.sniff import Kind
from adapters.sources.source import open_source
from adapters.workspace.forgetting import Forgetting
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
@click.argument("path", type=click.Path(path_type=Path), required=False)
@click.option("--community", required=True, help="Whose messages they are: lower-case letters, digits and dashes.")
@click.option("--from-feedback", is_flag=True, help="Not a PATH: the model's answers, with how people liked them, from the gateway.")
@click.option("--consent-from-gateway", is_flag=True, help="Leave out who said no to the bot, too; always so with --from-feedback.")
@ordered
@on_workspace
def import_export(
    home: Path, *, path: Path | None, community: str, from_feedback: bool, consent_from_gateway: bool, **terms: Any
) -> Result:
    """Read an export of a community's messages: a file, a folder or a zip.

    DiscordChatExporter's JSON, Discord's data package, imageboard threads as JSON, or a chat as JSONL. Several imports of one community are
    read as one; of a message that several have, the last import counts.
    """
    if (path is None) != from_feedback:
        raise click.UsageError("Say either a PATH or --from-feedback.")
    workspace = Workspace.open(home, community)
    loop = Loop(click.get_current_context().find_object(Access) or Access(), community) if from_feedback or consent_from_gateway else None
    try:
        with stages() as watch, workspace.locked():
            if loop is not None:
                refuse(workspace, loop.said_no())
            if path is None and loop is not None:
                return bring_back(workspace, Order(Path(), **terms), loop)
            assert path is not None
            made, new = add(workspace, Order(path, **terms), watch)
    finally:
        if loop is not None:
            loop.close()
    return Result(told(made, new), shown(workspace, made, new))


def refuse(workspace: Workspace, said: SaidNo) -> None:
    """Put them on the opt-out list, and say who is still to be forgotten. Hold the lock, here and below."""
    open_members(workspace).refuse(*(written_id(Network.DISCORD, each) or each for each in said.people)).save()
    for person, since in said.forget:
        if Forgetting(workspace, written_id(Network.DISCORD, person) or person).is_done(since):
            continue
        # Quoted, as it is a bot that says what a person is called, and a shell that reads the line.
        tell(f"Somebody wants to be forgotten: `troupe forget {shlex.quote(person)} --community {workspace.community}`.")


def bring_back(workspace: Workspace, order: Order, loop: Loop) -> Result:
    """The model's own answers, in place of those that were brought back before. They come through a bot: what is true of an export of a
    server is true of them. Raises PrivacyError, WorkspaceError or CommandError."""
    provenance = declare(order.provenance, Kind.DISCORD, order.note)
    for warning in provenance.warnings:
        tell(warning)
    members = open_members(workspace).with_lists(Network.DISCORD, out=order.opt_out, agreed=order.opt_in)
    members.save()
    told_of = loop.answers()
    count = workspace.answers.keep([each for each in told_of if all(map(members.may_stay, map(str, each["people"])))], provenance.to_json())
    liked = sum(1 for each in workspace.answers.read() if each.reward)
    facts = {"Answers": f"{count:,}", "Liked": f"{liked:,}", "Left out": f"{len(told_of) - count:,} of people who opted out"}
    said = f"`troupe curate --community {workspace.community}` learns the liked ones beside what people said; see its --curation own_share."
    content = {"answers": count, "liked": liked, "left_out": len(told_of) - count, "provenance": provenance.to_json()}
    return Result(content, Group(pairs(facts), "", said))


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
