"""What can be wrong with the Discord bot's account: its token, its intents, where it was invited to.

Asks Discord's REST API two questions and nothing else. https://docs.discord.com/developers/resources/application
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import httpx

from clients.cli.doctor.finding import Finding, failed, ill, odd, skipped, well
from clients.errors import BadSettings
from clients.wire import open_http

API = "https://discord.com/api/v10"
PATIENCE_S = 10.0
MESSAGE_CONTENT = 1 << 18 | 1 << 19
"""The application flags of the intent; the second is that of bots in fewer than a hundred servers."""
PERMISSIONS = 1 << 10 | 1 << 11 | 1 << 16 | 1 << 38
"""See channels, write in them, read what was said before, write in threads."""
PORTAL = "https://discord.com/developers/applications"


class Unreachable(Exception):
    """Discord gave no answer that says anything about the bot. `str(error)` is a part of a sentence."""


async def look_at_discord(token: str | None, transport: httpx.AsyncBaseTransport | None = None) -> list[Finding]:
    """`transport` replaces the network, for tests."""
    if token is None:
        return [skipped("Discord", "TROUPE_BOT_TOKEN is not set, so there is no bot to look at")]
    if not (token.isascii() and token.isprintable()):
        return [_bad_token("holds characters that no token has")]
    headers = {"authorization": f"Bot {token}", "user-agent": "DiscordBot (troupe, 1)"}
    try:
        client = open_http(headers=headers, transport=transport, timeout=PATIENCE_S)
    except BadSettings as error:
        return [failed("Discord", error)]
    async with client as http:
        try:
            user = await _told(http, "/users/@me")
            application = await _told(http, "/applications/@me") if user else None
        except Unreachable as error:
            return [ill("Discord", f"{error}", "Try again later; whether Discord is well stands at https://discordstatus.com.")]
    if user is None or application is None:
        return [_bad_token("is not accepted")]
    return [well("Discord token", f"it is {user.get('username')}'s"), look_at_intents(application), look_at_servers(application)]


def look_at_intents(application: Mapping[str, Any]) -> Finding:
    """Without the intent the bot is told that somebody wrote, and not what."""
    if int(application.get("flags") or 0) & MESSAGE_CONTENT:
        return well("Discord intents", "it may read what people write")
    page = f"{PORTAL}/{application.get('id')}/bot"
    return ill("Discord intents", "it may not read what people write", f"At {page}, switch on Message Content Intent.")


def look_at_servers(application: Mapping[str, Any]) -> Finding:
    count = application.get("approximate_guild_count")
    if not isinstance(count, int):
        return skipped("Discord servers", "Discord does not tell how many it is in")
    if count == 0:
        link = f"https://discord.com/oauth2/authorize?client_id={application.get('id')}&scope=bot+applications.commands&permissions={PERMISSIONS}"
        return odd("Discord servers", "it is in none", f"Invite it, as an admin of one: {link}")
    return well("Discord servers", f"it is in {count}")


def _bad_token(how: str) -> Finding:
    return ill("Discord token", f"TROUPE_BOT_TOKEN {how}", f"At {PORTAL}, your application, Bot: Reset Token, and set the new one.")


async def _told(http: httpx.AsyncClient, path: str) -> Mapping[str, Any] | None:
    """What Discord says at `path`; None if it does not accept the token. Raises Unreachable."""
    try:
        response = await http.get(API + path)
    except httpx.HTTPError as exc:
        raise Unreachable("does not answer") from exc
    if response.status_code == HTTPStatus.UNAUTHORIZED:
        return None
    if response.status_code == HTTPStatus.TOO_MANY_REQUESTS:
        raise Unreachable("has been asked too much from here, and says so")
    try:
        body = response.json() if response.is_success else None
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise Unreachable(f"answers with HTTP {response.status_code}")
    return body
