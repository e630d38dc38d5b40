"""`troupe models`: which model strings the key may use."""

import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict

import click
from rich.console import Console
from rich.table import Table

from clients.api import Status, Troupe
from clients.cli.exits import exit_codes
from clients.cli.options import url_option
from clients.cli.remembered import RememberedModels
from clients.offer import Offer
from clients.settings import ClientSettings, read_settings


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list.")
@click.option("--long", "is_long", is_flag=True, help="With versions, canaries, how they were trained, and the engine's state.")
@url_option
@exit_codes()
def models(as_json: bool, is_long: bool, url: str | None) -> None:
    """List the models that your key may use."""
    settings = read_settings(url=url)
    offers, status = asyncio.run(_looked_up(settings, with_status=is_long))
    if as_json:
        click.echo(json.dumps([asdict(offer) for offer in offers] if is_long else [offer.name for offer in offers]))
    elif is_long and status is not None:
        console = Console(file=sys.stdout, no_color=not settings.colour, highlight=False, width=None if sys.stdout.isatty() else 200)
        console.print(table_of(offers))
        click.echo(f"\nengine: {status.engine or 'unknown'}")
        click.echo(how_others_come(settings))
    else:
        click.echo("\n".join(offer.name for offer in offers), nl=bool(offers))


def table_of(offers: Sequence[Offer]) -> Table:
    """One line for each; what the gateway does not tell is left empty."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("model", "answers", "canary", "published", "rendered as"):
        table.add_column(heading, overflow="fold")
    for offer in offers:
        canary = f"{offer.name}@{offer.canary} ({offer.canary_share:g} %)" if offer.canary is not None else ""
        table.add_row(offer.name, offer.adapter or "", canary, (offer.published_at or "")[:10], offer.renderer or "")
    return table


def how_others_come(settings: ClientSettings) -> str:
    """The line by which any program of OpenAI's protocol finds this gateway; the key itself is not shown."""
    in_file = settings.origins.get("api_key") == str(settings.config)
    key = f"… (the key in {settings.config})" if in_file else '"$TROUPE_API_KEY"'
    return f"other programs: export OPENAI_BASE_URL={settings.url}/v1 OPENAI_API_KEY={key}"


async def _looked_up(settings: ClientSettings, *, with_status: bool) -> tuple[list[Offer], Status | None]:
    async with Troupe(settings.url, settings.chat_key()) as troupe:
        offers = await troupe.offers()
        RememberedModels(settings).keep(offers)
        return offers, await troupe.status() if with_status else None
