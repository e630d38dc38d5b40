"""`troupe ask`: one question, one answer, then the shell again."""

import asyncio
import json
import sys
from dataclasses import asdict
from typing import TextIO

import click

from clients.api import Troupe
from clients.cli.exits import exit_codes
from clients.cli.options import max_tokens_option, model_argument, seed_option, system_option, temperature_option, url_option
from clients.cli.question import question_argument, read_question, to_messages
from clients.cli.terminal import screen_for, speak
from clients.cli.waiting import Waiting
from clients.settings import read_settings


@click.command()
@model_argument
@question_argument
@system_option
@max_tokens_option
@temperature_option
@seed_option
@click.option("--json", "as_json", is_flag=True, help="Print the whole answer at once, with usage, as JSON.")
@url_option
@exit_codes()
def ask(model: str, question: str | None, system: str | None, as_json: bool, url: str | None, **params: int | float | None) -> None:
    """Ask MODEL one QUESTION and print its answer.

    What is piped in stands below the question: git diff | troupe ask zizou "what is this?". Without a question, or where it is `-`,
    what is piped in is the question. A loop that reads lines keeps them for itself with </dev/null.
    """
    messages = to_messages(system, read_question(question))
    settings = read_settings(url=url)
    troupe = Troupe(settings.url, settings.chat_key())
    asyncio.run(answer(troupe, model, messages, sys.stdout, as_json=as_json, **params))


async def answer(troupe: Troupe, model: str, messages: list[dict[str, str]], out: TextIO, *, as_json: bool, **params: object) -> None:
    """Write the model's answer to `out`: as it comes, or as one JSON object. Closes `troupe`."""
    async with troupe:
        if as_json:
            out.write(json.dumps(asdict(await troupe.complete_chat(model, messages, **params)), ensure_ascii=False) + "\n")
        else:
            await speak(troupe.chat(model, messages, **params), out, [], Waiting(model, screen_for(out)))
