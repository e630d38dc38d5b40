"""The bot as a process of its own, which can be killed: `troupe bot` with discord.py pointed at a fake.

Started from a server process that has everything imported, so that a start takes a fraction of a second. Not one line of the bot's is run
there.
"""

import asyncio
import multiprocessing
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from clients.discord_bot.command import serve
from clients.discord_bot.settings import read_bot_settings
from tests.clients.discord_bot.fake_discord import TOKEN, pointed_at
from tests.clients.stub_gateway import KEY


def start(discord: str, gateway: str, home: Path) -> BaseProcess:
    """A bot that speaks as `zizou`; end it with `kill`, or `terminate` for a SIGTERM."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    process = context.Process(target=_run, args=(discord, gateway, str(home)), daemon=True)
    process.start()
    return process


def _run(discord: str, gateway: str, home: str) -> None:
    settings: dict[str, Any] = {"bot_token": TOKEN, "bot_model": "zizou", "api_key": KEY, "url": gateway, "home": home}
    with pointed_at(discord):
        asyncio.run(serve(read_bot_settings(**settings)))
