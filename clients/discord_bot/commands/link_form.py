"""The form into which an admin writes the server's key: what is written into a channel or behind a command can be read there afterwards."""

from typing import Any

import discord

from clients.discord_bot.commands import sentences
from clients.discord_bot.commands.desk import Desk
from clients.discord_bot.commands.replying import excuse, think, whisper
from clients.discord_bot.commands.rights import guild_of, only_managers

LONGEST_KEY = 200


class LinkForm(discord.ui.Modal):
    """Whoever sends it is looked at again: rights may have changed since it was opened."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(title=sentences.LINK_TITLE, timeout=600)
        self._desk = desk
        self._key: discord.ui.TextInput[LinkForm] = discord.ui.TextInput(max_length=LONGEST_KEY, placeholder="tr_…")
        self._community: discord.ui.TextInput[LinkForm] = discord.ui.TextInput(max_length=63, required=False)
        self.add_item(discord.ui.Label(text=sentences.LINK_KEY, description=sentences.LINK_KEY_HINT, component=self._key))
        self.add_item(discord.ui.Label(text=sentences.LINK_COMMUNITY, description=sentences.LINK_COMMUNITY_HINT, component=self._community))

    async def on_submit(self, interaction: discord.Interaction[discord.Client], /) -> None:
        only_managers(interaction)
        await think(interaction)
        community = self._community.value.strip().lower() or None
        linked = await self._desk.links.link(guild_of(interaction), self._key.value.strip(), by=interaction.user.id, community=community)
        await whisper(interaction, sentences.linked(linked))

    async def on_error(
        self, interaction: discord.Interaction[discord.Client], error: Exception, item: discord.ui.Item[Any] | None = None, /
    ) -> None:
        await excuse(interaction, error)
