"""`troupe bot`: the Discord bot of one community."""

import asyncio
import logging

import click

from clients.api import Troupe
from clients.cli.exits import exit_codes
from clients.discord_bot.bot import Bot
from clients.discord_bot.settings import BotSettings, read_bot_settings


@click.command()
@exit_codes()
def bot() -> None:
    """Run the Discord bot of one community.

    Set TROUPE_BOT_TOKEN (the bot's token), TROUPE_BOT_MODEL (the community that it speaks as), TROUPE_API_KEY and, unless the
    gateway is on this machine, TROUPE_URL.
    """
    settings = read_bot_settings()
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("clients").setLevel(logging.INFO)
    asyncio.run(serve(settings))


async def serve(settings: BotSettings) -> None:
    """Be the bot until interrupted. Raises TroupeError if Discord does not let it in."""
    gateway = Troupe(settings.url, settings.api_key.get_secret_value(), timeout=settings.bot_timeout)
    async with gateway as troupe, Bot(troupe, settings.bot_model, max_tokens=settings.bot_max_tokens) as client:
        await client.run_forever(settings.bot_token.get_secret_value())
