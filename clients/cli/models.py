"""`troupe models`: which model strings the key may use."""

import asyncio
import json

import click

from clients.api import Troupe
from clients.cli.exits import exit_codes
from clients.settings import ClientSettings, read_settings


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list.")
@exit_codes()
def models(as_json: bool) -> None:
    """List the models that your key may use."""
    names = asyncio.run(_listed(read_settings()))
    click.echo(json.dumps(names) if as_json else "\n".join(names), nl=as_json or bool(names))


async def _listed(settings: ClientSettings) -> list[str]:
    async with Troupe(settings.url, settings.chat_key()) as troupe:
        return await troupe.models()
