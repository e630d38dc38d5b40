"""`troupe ask`: one question, one answer, then the shell again."""

import asyncio
import json
import sys
from dataclasses import asdict
from typing import TextIO

import click

from clients.api import Troupe
from clients.cli.exits import exit_codes
from clients.cli.terminal import piped_in, screen_for, speak
from clients.cli.waiting import Waiting
from clients.settings import read_settings


@click.command()
@click.argument("model")
@click.argument("question", required=False)
@click.option("--system", help="Instructions that stand before the question.")
@click.option("--max-tokens", type=click.IntRange(min=1), help="Longest answer, in tokens.")
@click.option("--temperature", type=click.FloatRange(0, 2), help="0 is always the likeliest word.")
@click.option("--seed", type=int, help="The same seed gives the same answer, as far as the engine can promise.")
@click.option("--json", "as_json", is_flag=True, help="Print the whole answer at once, with usage, as JSON.")
@exit_codes()
def ask(model: str, question: str | None, system: str | None, as_json: bool, **params: int | float | None) -> None:
    """Ask MODEL one QUESTION and print its answer.

    The question is read from standard input if it is `-`, or if there is none and input is piped.
    """
    messages = _messages(system, _question(question, piped_in()))
    settings = read_settings()
    troupe = Troupe(settings.url, settings.chat_key())
    asyncio.run(answer(troupe, model, messages, sys.stdout, as_json=as_json, **params))


async def answer(troupe: Troupe, model: str, messages: list[dict[str, str]], out: TextIO, *, as_json: bool, **params: object) -> None:
    """Write the model's answer to `out`: as it comes, or as one JSON object. Closes `troupe`."""
    async with troupe:
        if as_json:
            out.write(json.dumps(asdict(await troupe.complete_chat(model, messages, **params)), ensure_ascii=False) + "\n")
        else:
            await speak(troupe.chat(model, messages, **params), out, [], Waiting(model, screen_for(out)))


def _question(argument: str | None, stdin: TextIO) -> str:
    if argument is None and stdin.isatty():
        raise click.UsageError('No question. Say: troupe ask MODEL "…"')
    text = stdin.read() if argument in (None, "-") else argument
    if not (text and text.strip()):
        raise click.UsageError("The question is empty.")
    return text


def _messages(system: str | None, question: str) -> list[dict[str, str]]:
    first = [{"role": "system", "content": system}] if system else []
    return [*first, {"role": "user", "content": question}]
