"""`troupe usage`: what was used and what it costs, over the gateway's admin API or, with --local, from this machine's database."""

import asyncio
import json
import os
from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource
from rich.console import Group, RenderableType

from adapters.cli.access import Access
from adapters.cli.admin_api import AdminApi
from adapters.cli.command import rendered, sentences, write
from adapters.cli.errors import CommandError
from adapters.cli.tables import table
from adapters.settings import RegistrySettings
from server.accounts.database import open_accounts
from server.accounts.usage import By, to_csv, total, usage
from server.command import open_api

LOOK = "troupe usage"
PAGE_SECONDS = 120.0
_BY = ("day", "community", "key")
_COLUMNS = {
    "requests": "requests",
    "running": "running",
    "aborted": "aborted",
    "failed": "failed",
    "lost": "lost",
    "degraded": "degraded",
    "prompt_tokens": "prompt",
    "cached_tokens": "cached",
    "completion_tokens": "answer",
    "engine_seconds": "engine s",
    "token_cost": "for tokens",
    "engine_cost": "for the engine",
    "cost": "cost",
}
_ALWAYS = ("requests", "prompt_tokens", "completion_tokens", "cost")
OPERATOR = "(nobody)"
"""Who bears engine time in which no community was there."""


class Day(click.ParamType[str]):
    name = "DAY"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            return str(date.fromisoformat(str(value)))
        except ValueError:
            self.fail(f"{value!r} is no day: write it as 2026-11-21.", param, ctx)


@click.group("usage", invoke_without_command=True)
@click.option("--by", "by", multiple=True, type=click.Choice(_BY), help="May be given several times.  [default: day and community]")
@click.option("--from", "since", type=Day(), help="The first UTC day that counts.  [default: the first of this month]")
@click.option("--to", "until", type=Day(), help="The last.  [default: today]")
@click.option("--community", metavar="NAME", help="Only this one's.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.option("--csv", "as_csv", is_flag=True, help="For spreadsheets.")
@click.option("--local", is_flag=True, help="From this machine's database directly, not through the gateway.")
@click.pass_context
def usage_group(
    context: click.Context,
    *,
    by: tuple[str, ...],
    since: str | None,
    until: str | None,
    community: str | None,
    as_json: bool,
    as_csv: bool,
    local: bool,
) -> None:
    """Show what was used and what it costs, by UTC day and community."""
    if context.invoked_subcommand is not None:
        if any(context.get_parameter_source(name) is not ParameterSource.DEFAULT for name in context.params):
            raise click.UsageError(f"Say what you want of `{context.invoked_subcommand}` after its name: it knows fewer options.")
        return
    if as_json and as_csv:
        raise click.UsageError("Say either --json or --csv.")
    access = context.find_object(Access) or Access()
    today = datetime.now(UTC).date()
    days = (since or str(today.replace(day=1)), until or str(today))
    if days[0] > days[1]:
        raise click.UsageError(f"--from {days[0]} is after --to {days[1]}: say the first day and the last one.")
    with sentences():
        asked = by or ("day", "community")
        if local:
            text = asyncio.run(_from_database(access.settings(), days, asked, community, as_csv=as_csv))
        else:
            text = _from_gateway(access, days, asked, community, as_csv=as_csv)
        write(text.removesuffix("\n") if as_json or as_csv else rendered(_shown(json.loads(text))))


@usage_group.command()
@click.option("--from", "since", type=Day(), help="Only what became final on this UTC day and later.  [default: all]")
@click.option(
    "--cursor",
    "kept",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A file that remembers what was exported: the next export with it goes on from there.",
)
@click.pass_context
def export(context: click.Context, *, since: str | None, kept: Path | None) -> None:
    """Print what is final as CloudEvents, one a line: requests with their tokens, and engine time. The bill is the sum of their `cost`."""
    with sentences():
        api = open_api(context.find_object(Access) or Access(), LOOK)
        try:
            with api.shape():
                _export(api, since or "", kept)
        finally:
            api.close()


def _export(api: AdminApi, since: str, kept: Path | None) -> None:
    """Page by page; the place is remembered after its events were printed, so that a broken export repeats some and loses none."""
    cursor = _read(kept)
    while True:
        query = {"cursor": cursor} if cursor else {"from": since} if since else {}
        answer = api.ask("GET", "/usage/events", PAGE_SECONDS, params=query)
        for event in answer.content:
            write(json.dumps(event))
        cursor = answer.headers["x-troupe-cursor"]
        if kept is not None:
            _keep(kept, cursor)
        if not answer.content:
            return


def _read(kept: Path | None) -> str:
    try:
        return "" if kept is None else kept.read_text().strip()
    except FileNotFoundError:
        return ""
    except (OSError, ValueError) as exc:
        raise CommandError(f"The cursor in {kept} cannot be read ({exc}): mend its permissions, or name another file.") from exc


def _keep(kept: Path, cursor: str) -> None:
    scratch = kept.with_name(f".{kept.name}.new")
    try:
        scratch.write_text(f"{cursor}\n")
        os.replace(scratch, kept)
    except OSError as exc:
        raise CommandError(f"The cursor cannot be kept in {kept} ({exc.strerror}): make room or mend its permissions.") from exc


def _from_gateway(access: Access, days: tuple[str, str], by: tuple[str, ...], community: str | None, *, as_csv: bool) -> str:
    api = open_api(access, LOOK, local=True)
    query = {"from": days[0], "to": days[1], "by": ",".join(by), "format": "csv" if as_csv else "json"}
    try:
        with api.shape():
            return api.text("/usage", PAGE_SECONDS, params=query | ({"community": community} if community else {}))
    finally:
        api.close()


async def _from_database(
    settings: RegistrySettings, days: tuple[str, str], by: tuple[str, ...], community: str | None, *, as_csv: bool
) -> str:
    """The same text as the gateway's, but for the currency, which only its settings know."""
    summed = tuple(By[each.upper()] for each in by)
    database = await open_accounts(settings.home, database_url=settings.database_url)
    try:
        rows = await usage(database, days, communities=[community] if community else None, by=summed)
    finally:
        await database.close()
    if as_csv:
        return to_csv(rows, summed)
    shown = [row.record(summed) for row in rows]
    return json.dumps({"currency": "", "from": days[0], "to": days[1], "by": list(by), "usage": shown, "total": total(rows).record(())})


def _shown(report: Mapping[str, Any]) -> RenderableType:
    if not report["usage"]:
        return f"Nothing was used from {report['from']} to {report['to']}."
    by = [name for name in _BY if name in report["by"]]
    shown = [name for name in _COLUMNS if name in _ALWAYS or any(float(row[name]) for row in report["usage"])]
    rows = [_row(row, by, shown) for row in report["usage"]]
    rows.append({**dict.fromkeys(by, ""), **_row(report["total"], [], shown), **({by[0]: "all"} if by else {})})
    numbers = [_COLUMNS[name] for name in shown]
    currency = f"Costs in {report['currency']}." if report["currency"] else ""
    return Group(table(rows, (*by, *numbers), right=numbers), *([currency] if currency else []))


def _row(row: Mapping[str, Any], by: list[str], shown: list[str]) -> dict[str, str]:
    named = {"day": row.get("day"), "community": row.get("community") or OPERATOR, "key": row.get("key_id")}
    return {**{name: str(named[name] or "") for name in by}, **{_COLUMNS[name]: str(row[name]) for name in shown}}
