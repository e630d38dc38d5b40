"""Exit codes of the commands that talk to a gateway, so that scripts can tell failures apart.

Knows the clients' errors and click; knows no command.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import click

from clients.errors import BadKey, NoServer, TroupeError, UnknownModel

ERROR, USAGE, NO_SERVER, BAD_KEY, UNKNOWN_MODEL, INTERRUPTED = 1, 2, 3, 4, 5, 130

_CODES: dict[type[TroupeError], int] = {NoServer: NO_SERVER, BadKey: BAD_KEY, UnknownModel: UNKNOWN_MODEL}


@contextmanager
def exit_codes() -> Iterator[None]:
    """Around a command (or as its decorator): the clients' errors become sentences with their exit codes, Ctrl-C 130."""
    try:
        yield
    except TroupeError as error:
        click.echo(f"Error: {error}", err=True)
        raise click.exceptions.Exit(code_of(error)) from error
    except KeyboardInterrupt as interrupt:
        raise click.exceptions.Exit(INTERRUPTED) from interrupt


def code_of(error: TroupeError) -> int:
    """The exit code that tells of this failure."""
    return _CODES.get(type(error), ERROR)
