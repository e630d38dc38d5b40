"""`troupe chat`: a conversation in the terminal, or over a pipe, one line a turn.

In a terminal: a prompt with history, errors are shown and the chat goes on, Ctrl-C stops a reply and not the program. Piped:
nothing but the answers on stdout, and the first error ends it.
"""

import asyncio
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import click
from prompt_toolkit import PromptSession
from prompt_toolkit.history import FileHistory, History, InMemoryHistory

from clients.api import Troupe, unknown_model
from clients.cli.dialogue import Dialogue
from clients.cli.exits import exit_codes
from clients.cli.terminal import piped_in, screen_for, speak
from clients.cli.waiting import Waiting
from clients.errors import TroupeError
from clients.settings import ClientSettings, read_settings

WARM_S = 2.0
"""A gateway answers a warm call at once; the prompt waits for no other server longer than this."""
HELP = """\
/reset        forget what was said
/model NAME   talk to another model
/help         this list
Ctrl-C stops a reply, Ctrl-D leaves."""


@click.command()
@click.argument("model")
@click.option("--system", help="Instructions that stand before the conversation.")
@click.option("--max-tokens", type=click.IntRange(min=1), help="Longest answer, in tokens.")
@click.option("--temperature", type=click.FloatRange(0, 2), help="0 is always the likeliest word.")
@exit_codes()
def chat(model: str, system: str | None, **params: int | float | None) -> None:
    """Talk with MODEL."""
    settings = read_settings()
    troupe = Troupe(settings.url, settings.chat_key())
    interactive = sys.stdin.isatty() and sys.stdout.isatty()
    with asyncio.Runner() as runner:
        try:
            talk = Talk(runner, troupe, Dialogue(model, system), params, sys.stdout, interactive)
            talk.choose(model)
            talk.run(_prompt(model, settings) if interactive else _piped(piped_in()))
        finally:
            runner.run(troupe.aclose())


@dataclass
class Talk:
    """A chat going on: lines in, answers out. Each reply runs on `runner` by itself, so that Ctrl-C ends only the reply."""

    runner: asyncio.Runner
    troupe: Troupe
    dialogue: Dialogue
    params: dict[str, int | float | None]
    out: TextIO
    interactive: bool

    def run(self, read: Callable[[], str]) -> None:
        """Until `read` raises EOFError. Raises TroupeError for the first failure if nobody is there to read about it."""
        while True:
            try:
                line = read().strip()
                if line:
                    self.obey(line) if line.startswith("/") else self.reply(line)
            except EOFError:
                return
            except KeyboardInterrupt:  # at the prompt: drop the line
                if not self.interactive:
                    raise
            except TroupeError as error:
                if not self.interactive:
                    raise
                self._note(f"{error}")

    def reply(self, question: str) -> None:
        """Print the model's reply and remember the turn; of a reply that was stopped, what had come."""
        stream = self.troupe.chat(self.dialogue.model, self.dialogue.messages(question), **self.params)
        said: list[str] = []
        try:
            self.runner.run(speak(stream, self.out, said, Waiting(self.dialogue.model, screen_for(self.out))))
        except KeyboardInterrupt:
            if not self.interactive:
                raise
            self._note("(stopped)")
        finally:
            self.dialogue.add(question, "".join(said))

    def obey(self, line: str) -> None:
        """One of the slash commands."""
        command, _, argument = line.partition(" ")
        match command, argument.strip():
            case "/reset", "":
                self.dialogue.turns.clear()
                self._note("Forgotten.")
            case "/model", name if name:
                self.choose(name)
                self._note(f"You talk to {name}.")
            case "/help", "":
                self._note(HELP)
            case _:
                self._note(f"There is no command {line!r}.\n{HELP}")

    def choose(self, model: str) -> None:
        """Talk to `model` from now on, and wake it while the person still types. Raises UnknownModel if the key may not use it."""
        known = self.runner.run(self.troupe.models())
        if model.partition("@")[0] not in {name.partition("@")[0] for name in known}:
            raise unknown_model(model, known)
        self.dialogue.model = model
        if self.interactive:
            self.runner.run(self._warm(model))

    async def _warm(self, model: str) -> None:
        """A favour that nothing depends on: the first question would wake the engine, too."""
        with suppress(TroupeError, TimeoutError):
            async with asyncio.timeout(WARM_S):
                await self.troupe.warm(model)

    def _note(self, text: str) -> None:
        """Words that are not the model's: on stderr, so that a pipe carries answers only."""
        click.echo(text, err=True)


def _piped(stdin: TextIO) -> Callable[[], str]:
    def read() -> str:
        if line := stdin.readline():
            return line
        raise EOFError

    return read


def _prompt(model: str, settings: ClientSettings) -> Callable[[], str]:
    click.echo(f"You talk to {model}. /help lists the commands, Ctrl-D leaves.")
    session: PromptSession[str] = PromptSession(history=_history(settings.home / "chat_history"))
    return lambda: session.prompt("> ")


def _history(path: Path) -> History:
    """What was typed in earlier chats, readable by its owner only; kept in memory where the file cannot be."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
    except OSError:
        return InMemoryHistory()
    return FileHistory(path)
