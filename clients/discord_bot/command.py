"""`troupe bot`: the Discord bot."""

import asyncio
import logging
import signal
import time
from contextlib import AsyncExitStack

import click
from pydantic import SecretStr

from clients.api import Troupe
from clients.cli.exits import exit_codes
from clients.discord_bot.answering import Patience
from clients.discord_bot.bot import Bot, Manner
from clients.discord_bot.breaker import Breaker
from clients.discord_bot.links import Links, OwnVoice
from clients.discord_bot.metrics import Metrics, Served
from clients.discord_bot.naming import NamesKeys
from clients.discord_bot.outgoing import Outgoing
from clients.discord_bot.sealing import Sealer, state_key
from clients.discord_bot.settings import BotSettings, read_bot_settings
from clients.discord_bot.store.store import FILE, Store
from clients.discord_bot.wire import Wire


@click.command()
@exit_codes(answers=False)
def bot() -> None:
    """Run the Discord bot.

    Set TROUPE_BOT_TOKEN (the bot's token) and, unless the gateway is on this machine, TROUPE_URL. In each server its admins link their
    community with /troupe link. For one server there is a shorter way: TROUPE_BOT_MODEL (the community that it speaks as) and
    TROUPE_API_KEY.
    """
    settings = read_bot_settings()
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("clients").setLevel(logging.INFO)
    asyncio.run(serve(settings))


async def serve(settings: BotSettings) -> None:
    """Be the bot until interrupted or told to end (SIGTERM). Raises TroupeError if Discord does not let it in."""
    home = settings.home.expanduser()
    sealer = Sealer(state_key(home / "bot" / "key", _plain(settings.bot_state_key)))
    breaker, metrics = Breaker(), Metrics()
    metrics.watch_breaker(lambda: breaker.is_open(time.monotonic()), lambda: breaker.refused(time.monotonic()))
    secrets = [secret for secret in (_plain(settings.bot_token), _plain(settings.api_key)) if secret]
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(Store(home / FILE))
        links = Links(store, sealer, lambda key: Troupe(settings.url, key, timeout=settings.bot_timeout), own=_own_voice(settings))
        stack.push_async_callback(links.close)
        stack.enter_context(Served(metrics, settings.bot_metrics_port))
        names = NamesKeys((settings.bot_names or home / "factory").expanduser())
        client = await stack.enter_async_context(Bot(store, links, names, Wire(breaker, Outgoing(secrets)), metrics, _manner(settings)))
        await _until_told(client, settings.bot_token.get_secret_value())


async def _until_told(client: Bot, token: str) -> None:
    """Run, and close at SIGTERM: what is under way is taken up by the next start."""
    loop = asyncio.get_running_loop()
    running = asyncio.current_task()
    told = False

    def end() -> None:
        nonlocal told
        told = True
        if running is not None:
            running.cancel()

    loop.add_signal_handler(signal.SIGTERM, end)
    try:
        await client.run_forever(token)
    except asyncio.CancelledError:
        if not told:
            raise
        if running is not None:
            running.uncancel()
    finally:
        loop.remove_signal_handler(signal.SIGTERM)


def _own_voice(settings: BotSettings) -> OwnVoice | None:
    if settings.bot_model is None or settings.api_key is None:
        return None
    return OwnVoice(settings.bot_model, settings.api_key.get_secret_value(), settings.bot_guild)


def _manner(settings: BotSettings) -> Manner:
    return Manner(
        max_tokens=settings.bot_max_tokens,
        patience=Patience(settings.bot_late),
        shard_count=settings.bot_shards or None,
        shard_ids=settings.bot_shard_ids,
    )


def _plain(secret: SecretStr | None) -> str | None:
    return secret.get_secret_value() if secret is not None else None
