"""What a command says instead of doing what it was asked.

discord.app_commands.AppCommandError
└── Refusal     with the sentence that the asker reads
"""

from discord import app_commands


class Refusal(app_commands.AppCommandError):
    """`str(error)` is one sentence: what is missing, and what to do."""
