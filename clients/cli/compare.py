"""`troupe compare`: one question to two models at once, side by side; blind, with a vote, where that is asked for."""

import asyncio
import json
import random
import sys
from contextlib import AsyncExitStack
from typing import TextIO

import click
from rich.console import Console

from clients.api import Troupe
from clients.cli.duel import Duel, Side
from clients.cli.exits import code_of, exit_codes
from clients.cli.options import (
    is_conversation,
    known_models,
    max_tokens_option,
    seed_option,
    system_option,
    temperature_option,
    url_option,
)
from clients.cli.question import question_argument, read_question, to_messages
from clients.cli.votes import Vote, Votes
from clients.settings import ClientSettings, read_settings


@click.command()
@click.argument("first", shell_complete=known_models)
@click.argument("second", shell_complete=known_models)
@question_argument
@system_option
@max_tokens_option
@temperature_option
@seed_option
@click.option("--blind", is_flag=True, help="Do not tell which is which until you have said which is better.")
@url_option
@exit_codes()
def compare(
    first: str, second: str, question: str | None, system: str | None, blind: bool, url: str | None, **params: int | float | None
) -> None:
    """Ask FIRST and SECOND the same QUESTION and show both answers side by side.

    Where the output is no terminal: a line of JSON for each.
    """
    if blind and not is_conversation():
        raise click.UsageError("--blind asks which is better, so it needs a terminal.")
    asked = read_question(question)
    settings = read_settings(url=url)
    models = [first, second]
    if blind:
        random.shuffle(models)
    duel = Duel([Side(model, f"answer {number}" if blind else model) for number, model in enumerate(models, start=1)])
    asyncio.run(ask_both(Troupe(settings.url, settings.chat_key()), duel, to_messages(system, asked), sys.stdout, settings, params))
    if blind and duel.failure is None:
        _vote(duel, Votes(settings.home / "votes.jsonl"), asked)
    elif blind:
        click.echo(" and ".join(f"{side.label} was {side.model}" for side in duel.sides) + ".", err=True)
    if duel.failure is not None and sys.stdout.isatty():  # where it stands already, in the place of an answer
        raise click.exceptions.Exit(code_of(duel.failure))
    if duel.failure is not None:
        raise duel.failure


async def ask_both(
    troupe: Troupe, duel: Duel, messages: list[dict[str, str]], out: TextIO, settings: ClientSettings, params: dict[str, int | float | None]
) -> None:
    """Have both sides answer at the same time and show it on `out`. Closes `troupe`; what goes wrong on a side is in `duel`."""
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(troupe)
        shown = None
        if out.isatty():
            shown = stack.enter_context(duel.shown_on(Console(file=out, no_color=not settings.colour, highlight=False)))
        async with asyncio.TaskGroup() as both:
            for side in duel.sides:
                both.create_task(side.listen(troupe.chat(side.model, messages, **params), shown))
    if shown is None:
        for side in duel.sides:
            out.write(json.dumps(side.to_json(), ensure_ascii=False) + "\n")


def _vote(duel: Duel, votes: Votes, question: str) -> None:
    """Ask which is better, say which was which, and remember it."""
    said = click.prompt("Which is better? 1, 2, or = if neither is", type=click.Choice(["1", "2", "="]), show_choices=False, err=True)
    one, two = duel.sides
    winner = {"1": one.model, "2": two.model}.get(said)
    votes.add(Vote(question, one.model, two.model, winner))
    click.echo(f"1 was {one.model}, 2 was {two.model}. {votes.tally(one.model, two.model)}", err=True)
