"""`troupe config`: what the commands that talk are told, and by whom; and how to write it down once."""

import asyncio
import re

import click

from clients.api import Troupe
from clients.cli.exits import exit_codes
from clients.cli.options import url_option
from clients.config_file import read_config, write_config
from clients.settings import ClientSettings, checked_url, read_settings


@click.group(invoke_without_command=True)
@click.pass_context
@exit_codes()
def config(context: click.Context) -> None:
    """Show what the commands that talk are told, and by whom."""
    if context.invoked_subcommand is None:
        show(read_settings())


@config.command("set")
@url_option
@exit_codes()
def set_(url: str | None) -> None:
    """Ask for address and key, try them, and write them into the settings file, which nobody else may read."""
    settings = read_settings(url=url)
    address = checked_url(url or click.prompt("Address of the gateway", default=settings.url), "The address")
    key = click.prompt("API key (it is not shown)", hide_input=True).strip()
    names = asyncio.run(_tried(address, key))
    write_config(settings.config, {**read_config(settings.config), "url": address, "api_key": key})
    click.echo(f"Written into {settings.config}. You may talk to {', '.join(names)}.")
    for name, variable in (("url", "TROUPE_URL"), ("api_key", "TROUPE_API_KEY")):
        if settings.origins[name] == variable:
            click.echo(f"{variable} is set, and is stronger than the file.", err=True)


def show(settings: ClientSettings) -> None:
    """A line for each setting; of a key only the part that names it."""
    shown = {"url": settings.url, "api_key": named(settings.api_key), "home": str(settings.home)}
    width = max(len(value) for value in shown.values())
    for name, value in shown.items():
        click.echo(f"{name:<7}  {value:<{width}}  {settings.origins[name]}")


def named(key: str | None) -> str:
    """`tr_<id>_…`: by its id a key is found in `troupe keys list`, and nobody is let in."""
    if key is None:
        return "none"
    name = re.match(r"tr_[^_]+_(?=.)", key)
    return f"{name[0]}…" if name else "…"


async def _tried(url: str, key: str) -> list[str]:
    async with Troupe(url, key) as troupe:
        return await troupe.models()
