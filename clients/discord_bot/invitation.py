"""The address at which somebody invites the bot to a server, with the rights that it needs and no others. Pure."""

import discord

RIGHTS = discord.Permissions(view_channel=True, send_messages=True, send_messages_in_threads=True, read_message_history=True)
SCOPES = ("bot", "applications.commands")


def invitation(application_id: int) -> str:
    """For whoever manages the server."""
    return discord.utils.oauth_url(application_id, permissions=RIGHTS, scopes=SCOPES)
