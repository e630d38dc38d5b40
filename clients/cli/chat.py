"""`troupe chat`: a conversation in the terminal, or over a pipe, one line a turn.

In a terminal: a prompt with history, errors are shown and the chat goes on, Ctrl-C stops a reply and not the program. Piped:
nothing but the answers on stdout, and the first error ends it.
"""

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

import click

from clients.api import Troupe
from clients.cli.dialogue import Dialogue
from clients.cli.exits import exit_codes
from clients.cli.options import is_conversation, max_tokens_option, model_argument, system_option, temperature_option, url_option
from clients.cli.prompt import Prompt
from clients.cli.talk import Talk
from clients.cli.terminal import piped_in
from clients.cli.transcript import load
from clients.settings import ClientSettings, read_settings


@click.command()
@model_argument
@system_option
@click.option("--as", "speaker", default="", metavar="NAME", help="Who you are in this conversation; others join with /as.")
@click.option("--load", "earlier", type=click.Path(path_type=Path), metavar="FILE", help="Go on with a chat that /save wrote as .json.")
@max_tokens_option
@temperature_option
@url_option
@exit_codes()
def chat(model: str, system: str | None, speaker: str, earlier: Path | None, url: str | None, **params: int | float | None) -> None:
    """Talk with MODEL."""
    settings = read_settings(url=url)
    dialogue = Dialogue(model, system, speaker, load(earlier) if earlier else [])
    troupe = Troupe(settings.url, settings.chat_key())
    interactive = is_conversation()
    with asyncio.Runner() as runner:
        try:
            talk = Talk(runner, troupe, dialogue, params, sys.stdout, interactive, settings)
            talk.choose(model)
            talk.run(_prompt(talk, settings) if interactive else _piped(piped_in()))
        finally:
            runner.run(troupe.aclose())


def _piped(stdin: TextIO) -> Callable[[str], str]:
    def read(speaker: str) -> str:
        if line := stdin.readline():
            return line
        raise EOFError

    return read


def _prompt(talk: Talk, settings: ClientSettings) -> Callable[[str], str]:
    click.echo(f"You talk to {talk.dialogue.model}. /help lists the commands, Ctrl-D leaves.")
    return Prompt(settings.home / "chat_history", lambda: talk.known, colour=settings.colour).read
