"""How the commands that talk to a gateway end: with exit codes that scripts can tell apart, and a sentence in place of a stack trace.

Knows the clients' errors, click and the output; knows no command.
"""

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

from clients.errors import BadKey, NoServer, TroupeError, UnknownModel

ERROR, USAGE, NO_SERVER, BAD_KEY, UNKNOWN_MODEL, INTERRUPTED = 1, 2, 3, 4, 5, 130

_CODES: dict[type[TroupeError], int] = {NoServer: NO_SERVER, BadKey: BAD_KEY, UnknownModel: UNKNOWN_MODEL}


class NoOutput(TroupeError):
    """There is nowhere to write an answer to."""


@contextmanager
def exit_codes(*, answers: bool = True) -> Iterator[None]:
    """Around a command (or as its decorator): the clients' errors become sentences with their exit codes, Ctrl-C 130; and where it
    `answers` on standard output, so does one that takes no more."""
    try:
        if answers:
            _look_at_output()
        yield
        if answers:
            sys.stdout.flush()  # a disk that is full says so here, and not when Python ends
    except TroupeError as error:
        click.echo(f"Error: {error}", err=True)
        raise click.exceptions.Exit(code_of(error)) from error
    except BrokenPipeError:  # whoever read the answer has seen enough, which click knows how to end
        raise
    except OSError as error:
        if not answers:
            raise
        _drop_output()
        click.echo(f"Error: {error.filename or 'The answer'} cannot be written: {error.strerror}.", err=True)
        raise click.exceptions.Exit(ERROR) from error
    except KeyboardInterrupt as interrupt:
        raise click.exceptions.Exit(INTERRUPTED) from interrupt
    except click.Abort as abort:  # at one of click's own questions
        if not isinstance(abort.__context__, KeyboardInterrupt):
            raise
        click.echo(err=True)
        raise click.exceptions.Exit(INTERRUPTED) from abort


def code_of(error: TroupeError) -> int:
    """The exit code that tells of this failure."""
    return _CODES.get(type(error), ERROR)


def _look_at_output() -> None:
    """What a terminal's encoding has no sign for becomes a question mark, and not the end of the answer. Raises NoOutput."""
    if sys.stdout is None:
        raise NoOutput("The answer cannot be written: standard output is closed.")
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")


def _drop_output() -> None:
    """Otherwise Python would try to write the rest once more when it ends, and complain."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
