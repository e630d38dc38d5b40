"""Reading Discord: messages as `Heard`, and what stands before one in its channel. Asks Discord, decides nothing."""

from collections.abc import Callable, Iterator, Mapping

import discord
from discord.abc import Messageable, Snowflake

from adapters.conversation import CONTEXT_TURNS
from clients.discord_bot.heard import Heard, readable
from clients.discord_bot.permission import may_read

LOOK_BACK = 4 * CONTEXT_TURNS
"""Messages fetched for context: some are other bots' or hold only pictures, and do not count."""

_CHATTER = (discord.MessageType.default, discord.MessageType.reply)


class Hearing:
    """`me`: the bot's own user, known once it has logged in."""

    def __init__(self, me: Callable[[], discord.ClientUser]) -> None:
        self._me = me

    @property
    def me(self) -> discord.ClientUser:
        return self._me()

    def heard(self, message: discord.Message) -> Heard:
        author, me = message.author, self._me().id
        reply_to, replies_to_me = _reply(message, me)
        people = {person.id: person.display_name for person in message.mentions if person.id != me}
        mine = {me, *(role.id for role in message.role_mentions if role.tags is not None and role.tags.bot_id == me)}
        # Discord says who is mentioned: what only looks so, in code, is for nobody.
        named = any(each.id in mine for each in (*message.mentions, *message.role_mentions))
        return Heard(
            id=message.id,
            channel_id=message.channel.id,
            author=author.display_name,
            text=readable(message.content, mine=mine, names=people | dict(_places(message))),
            is_self=author.id == me,
            is_program=(author.bot and author.id != me) or bool(message.webhook_id) or message.type not in _CHATTER,
            in_server=message.guild is not None,
            addresses_me=named or replies_to_me,
            reply_to=reply_to,
            author_id=author.id,
            guild_id=message.guild.id if message.guild else 0,
            mentions=people,
        )

    async def before(self, channel: Messageable, moment: Snowflake) -> list[Heard]:
        """The messages of a channel or thread before this one or before this moment; none where the bot may not read them."""
        if not may_read(channel):
            return []
        try:
            return [self.heard(each) async for each in channel.history(limit=LOOK_BACK, before=moment)]
        except discord.Forbidden:
            return []

    async def chain(self, message: discord.Message, known: Mapping[int, Heard]) -> list[Heard]:
        """The chain of replies that leads here, the nearest first, as far as it can be followed and is of use."""
        followed: list[Heard] = []
        link = self.heard(message).reply_to
        while link is not None and len(followed) < CONTEXT_TURNS and may_read(message.channel):
            try:
                heard = known.get(link) or self.heard(await message.channel.fetch_message(link))
            except (discord.NotFound, discord.Forbidden):  # deleted, or not for the bot to read
                break
            followed.append(heard)
            link = heard.reply_to if heard.reply_to is not None and heard.reply_to < heard.id else None
        return followed


def _reply(message: discord.Message, me: int) -> tuple[int | None, bool]:
    """The message of the same channel that this one replies to, and whether that one is the bot's. A forward is no reply."""
    reference = message.reference
    if message.type is not discord.MessageType.reply or reference is None or reference.channel_id != message.channel.id:
        return None, False
    original = reference.resolved
    return reference.message_id, isinstance(original, discord.Message) and original.author.id == me


def _places(message: discord.Message) -> Iterator[tuple[int, str]]:
    for named in (*message.role_mentions, *message.channel_mentions):
        yield named.id, named.name
