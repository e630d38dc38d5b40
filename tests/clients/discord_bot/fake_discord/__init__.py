"""A small Discord: enough REST, gateway and interactions for the real discord.py to live in it, and to be treated badly.

What it must look like was read off discord.py 2.7.1: REST bodies have exactly the type `application/json`, READY carries an
application and the address to resume at, a 429 without `Via` is taken for Cloudflare's.

    world.py         who and what is there: guilds, channels, threads, messages, reactions; no network
    rest.py          what the bot may do with it over HTTP
    gateway.py       the websocket: sessions, heartbeats, resuming, replaying
    faults.py        what goes wrong on request, and rate limits
    interactions.py  people who use commands, forms, buttons
    fake.py          all of it in one hand, as tests hold it
"""

from tests.clients.discord_bot.fake_discord.fake import TOKEN, WAIT_S, FakeDiscord, discord_running, pointed_at
from tests.clients.discord_bot.fake_discord.interactions import ADMIN, Asked
from tests.clients.discord_bot.fake_discord.world import (
    ALICE,
    APPLICATION,
    ATTIC,
    BOB,
    BOT,
    BOT_ROLE,
    GUILD,
    LOUNGE,
    OTHER_BOT,
    PRIVATE,
    user,
)

__all__ = [
    "ADMIN",
    "ALICE",
    "APPLICATION",
    "ATTIC",
    "BOB",
    "BOT",
    "BOT_ROLE",
    "GUILD",
    "LOUNGE",
    "OTHER_BOT",
    "PRIVATE",
    "TOKEN",
    "WAIT_S",
    "Asked",
    "FakeDiscord",
    "discord_running",
    "pointed_at",
    "user",
]
