"""A chat going on: lines in, answers out, and what the slash commands do. Knows the gateway and text streams, no prompt."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import TextIO

import click

from adapters.conversation import RENDERER
from clients.api import Troupe, unknown_model
from clients.cli.colours import colour_of
from clients.cli.dialogue import Dialogue
from clients.cli.orders import HELP, read_order
from clients.cli.remembered import RememberedModels
from clients.cli.terminal import screen_for, speak
from clients.cli.transcript import place, save
from clients.cli.waiting import Waiting
from clients.errors import TroupeError
from clients.offer import Offer
from clients.settings import ClientSettings

WARM_S = 2.0
"""A gateway answers a warm call at once; the prompt waits for no other server longer than this."""


@dataclass
class Talk:
    """Each reply runs on `runner` by itself, so that Ctrl-C ends only the reply."""

    runner: asyncio.Runner
    troupe: Troupe
    dialogue: Dialogue
    params: dict[str, int | float | None]
    out: TextIO
    interactive: bool
    settings: ClientSettings
    offers: list[Offer] = field(default_factory=list)

    @property
    def known(self) -> Sequence[str]:
        """Every model string that this key may use, as far as the gateway told."""
        return [name for offer in self.offers for name in offer.strings]

    def run(self, read: Callable[[str], str]) -> None:
        """Until `read`, which is told who speaks, raises EOFError.

        Raises TroupeError for the first failure if nobody is there to read about it.
        """
        while True:
            try:
                line = read(self.dialogue.speaker).strip()
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
                self._note(f"{error}", colour="red")

    def reply(self, question: str) -> None:
        """Print the model's reply and remember the turn; of a reply that was stopped, what had come."""
        self.dialogue.say(question)
        self._answer()

    def retry(self) -> None:
        """Another answer to what was said last; the one that is there stays if there comes none."""
        before = list(self.dialogue.lines)
        if not self.dialogue.take_back_answer():
            return self._note("Nothing was said yet.")
        try:
            self._answer()
        finally:
            if before and self.dialogue.lost is not None:
                self.dialogue.lines[:], self.dialogue.lost = before, None

    def obey(self, line: str) -> None:
        """One of the slash commands."""
        order = read_order(line)
        if order is None:
            return self._note(f"There is no command {line!r}.\n{HELP}")
        match order:
            case "/as", name:
                self.dialogue.speaker = " ".join(name.split())
                self._note(f"You are {self.dialogue.speaker}." if name else "You are nobody in particular.")
                self._warn_of_renderer()
            case "/say", text:
                self.dialogue.say(text)
            case "/retry", _:
                self.retry()
            case "/undo", _:
                taken = self.dialogue.undo()
                self._note("Nothing was said yet." if taken is None else f"Taken back: {taken}")
            case "/reset", _:
                self.dialogue.clear()
                self._note("Forgotten.")
            case "/model", name:
                self.choose(name)
                self._note(f"You talk to {name}.")
            case "/models", _:
                self._note("\n".join(self.known))
            case ("/save" | "/save!") as how, name:
                path = place(name)
                save(self.dialogue, path, datetime.now().astimezone(), replace=how == "/save!")
                self._note(f"Saved as {path}.")
            case _:
                self._note(HELP)
        return None

    def choose(self, model: str) -> None:
        """Talk to `model` from now on, and wake it while the person still types. Raises UnknownModel if the key may not use it."""
        self.offers = self.runner.run(self.troupe.offers())
        RememberedModels(self.settings).keep(self.offers)
        if self._offer(model) is None:
            raise unknown_model(model, self.known)
        if model not in self.known:  # an alias or a version: what each is, only the gateway knows
            self.runner.run(self.troupe.offer(model))
        self.dialogue.model = model
        self._warn_of_renderer()
        if self.interactive:
            self.runner.run(self._warm(model))

    def _answer(self) -> None:
        stream = self.troupe.chat(self.dialogue.model, self.dialogue.messages(), **self.params)
        said: list[str] = []
        try:
            self.runner.run(speak(stream, self.out, said, Waiting(self.dialogue.model, screen_for(self.out)), label=self._label()))
        except KeyboardInterrupt:
            if not self.interactive:
                raise
            self._note("(stopped)")
        else:
            if self.interactive and not "".join(said).strip():
                self._note(f"({self.dialogue.model} said nothing)")
        finally:
            self.dialogue.hear("".join(said))

    def _label(self) -> str:
        """Who answers, where several speak; in a pipe an answer is nothing but itself."""
        if not (self.interactive and self.dialogue.speaker):
            return ""
        name = f"{self.dialogue.model}> "
        return click.style(name, fg=colour_of(self.dialogue.model)) if self.settings.colour else name

    def _offer(self, model: str) -> Offer | None:
        community = model.partition("@")[0]
        return next((offer for offer in self.offers if offer.name.partition("@")[0] == community), None)

    def _warn_of_renderer(self) -> None:
        """Names are written as this program renders them: an adapter that was trained on another rendering would read them wrongly."""
        offer = self._offer(self.dialogue.model)
        if self.dialogue.speaker and offer is not None and offer.renderer not in (None, RENDERER):
            self._note(f"{offer.name} was trained on names in another form ({offer.renderer}, here {RENDERER}): it may misread them.")

    async def _warm(self, model: str) -> None:
        """A favour that nothing depends on: the first question would wake the engine, too."""
        with suppress(TroupeError, TimeoutError):
            async with asyncio.timeout(WARM_S):
                await self.troupe.warm(model)

    def _note(self, text: str, colour: str | None = None) -> None:
        """Words that are not the model's: on stderr, so that a pipe carries answers only."""
        styled = self.interactive and self.settings.colour
        click.echo(click.style(text, fg=colour, dim=colour is None) if styled else text, err=True)
