"""What the bot may do in a channel, as far as it knows: Discord tells it of every change. Asks nobody.

What is known to be refused is not tried: nobody would read the answer that was paid for, and a hundred refusals silence the bot everywhere.
What is not known is, and Discord's answer tells.
"""

import discord


def may_speak(channel: object) -> bool:
    """Whether the bot may write there."""
    has = _rights(channel)
    if has is None:
        return True
    return has.send_messages_in_threads if isinstance(channel, discord.Thread) else has.send_messages


def may_read(channel: object) -> bool:
    """Whether the bot may read what was said there, without which it may not reply to it, either."""
    has = _rights(channel)
    return has is None or has.read_message_history


def _rights(channel: object) -> discord.Permissions | None:
    if isinstance(channel, discord.Thread):
        return None if channel.parent is None else channel.permissions_for(channel.guild.me)
    return channel.permissions_for(channel.guild.me) if isinstance(channel, discord.abc.GuildChannel) else None
