"""What a command is asked on its command line and through its standard input. Knows click and files, and nothing of models."""

import io
import os
import stat
from typing import TextIO

import click

from clients.cli.terminal import piped_in

question_argument = click.argument("question", required=False)


def read_question(argument: str | None) -> str:
    """The question of the command line, with what was piped in below it. Raises click.UsageError if there is none."""
    stdin = piped_in()
    if argument is None and stdin.isatty():
        raise click.UsageError('No question. Say it in quotes: "…", or pipe it in.')
    question = stdin.read() if argument in (None, "-") else argument or ""
    if not question.strip():
        raise click.UsageError("The question is empty.")
    if argument not in (None, "-") and holds_something(stdin) and (below := stdin.read()).strip():
        return f"{question}\n\n{below}"
    return question


def to_messages(system: str | None, question: str) -> list[dict[str, str]]:
    first = [{"role": "system", "content": system}] if system else []
    return [*first, {"role": "user", "content": question}]


def holds_something(stdin: TextIO) -> bool:
    """Whether `stdin` is a pipe or a file: what somebody meant to be read, which a terminal and /dev/null are not."""
    try:
        mode = os.fstat(stdin.fileno()).st_mode
    except (OSError, io.UnsupportedOperation):  # a test's, or a program's own
        return not stdin.isatty()
    return stat.S_ISFIFO(mode) or stat.S_ISREG(mode) or stat.S_ISSOCK(mode)
