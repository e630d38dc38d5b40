"""What commands have in common: their options, their result on stdout, and one sentence on stderr when they fail."""

import functools
import io
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from rich.console import Console, RenderableType

from adapters.cli.access import Access
from adapters.cli.errors import CommandError
from adapters.cli.text import plain
from adapters.curation.errors import CurationError
from adapters.registry.errors import BadName, RegistryError, UnknownModel
from adapters.sources.errors import SourceError
from adapters.workspace.errors import WorkspaceError

FAILED, USAGE, NO_SUCH, INTERRUPTED = 1, 2, 5, 130
UNBOUND_WIDTH = 1000
"""Of a table that goes to a file or a pipe: nothing is cut off there."""
_HOME = "troupe.home"
OVERRIDES = ("base", "quantization", "max_rank")
"""Options that stand for settings of the way without a gateway."""


@dataclass(frozen=True)
class Result:
    """What a command found: for programs as JSON, for people as text or a table."""

    content: Any
    shown: RenderableType
    exit_code: int = 0


def on_registry(command: Callable[..., Result]) -> Callable[..., None]:
    """Around a command's function, which takes a Registrar and its own arguments by name: opens the registry that the options mean,
    prints the result, turns errors into exit codes."""

    @click.option("--local", is_flag=True, help="Work on this machine's database and store directly, not through the gateway.")
    @click.option("--home", type=click.Path(path_type=Path, file_okay=False), help="With the registry in this folder, as --local.")
    @click.option("--json", "as_json", is_flag=True, help="For programs.")
    @click.pass_context
    def run(context: click.Context, /, *, local: bool, home: Path | None, as_json: bool, **arguments: Any) -> None:
        overrides = {name: str(value) for name in OVERRIDES if (value := arguments.pop(name, None)) is not None}
        access = context.find_object(Access) or Access()
        context.meta[_HOME] = home
        with sentences(WorkspaceError):
            with access.open(local=local, home=home, overrides=overrides, note=tell) as registrar:
                result = command(registrar, **arguments)
            write(json.dumps(result.content) if as_json else rendered(result.shown))
        context.exit(result.exit_code)

    return functools.update_wrapper(run, command)


def on_workspace(command: Callable[..., Result]) -> Callable[..., None]:
    """Around a command's function, which takes TROUPE_HOME and its own arguments by name: as `on_registry`, without a registry."""

    @click.option("--home", type=click.Path(path_type=Path, file_okay=False), help="Where all is kept.  [default: TROUPE_HOME]")
    @click.option("--json", "as_json", is_flag=True, help="For programs.")
    @click.pass_context
    def run(context: click.Context, /, *, home: Path | None, as_json: bool, **arguments: Any) -> None:
        context.meta[_HOME] = home
        with sentences(WorkspaceError, SourceError, CurationError):
            result = command(workspace_home(context), **arguments)
            write(json.dumps(result.content) if as_json else rendered(result.shown))
        context.exit(result.exit_code)

    return functools.update_wrapper(run, command)


def workspace_home(context: click.Context) -> Path:
    """Where workspaces are: the --home of the command, or TROUPE_HOME."""
    given: Path | None = context.meta.get(_HOME)
    return given or (context.find_object(Access) or Access()).settings().home


@contextmanager
def sentences(*more: type[Exception]) -> Iterator[None]:
    """One sentence and an exit code instead of a traceback. `more`: errors that are a sentence as they are, and exit code 1."""
    try:
        yield
    except more as exc:
        fail(str(exc), FAILED)
    except CommandError as exc:
        fail(str(exc), exc.exit_code)
    except RegistryError as exc:
        fail(str(exc), USAGE if isinstance(exc, BadName) else NO_SUCH if isinstance(exc, UnknownModel) else FAILED)
    except BrokenPipeError:  # whoever read the result has seen enough
        _drop_output()
        sys.exit(FAILED)
    except OSError as exc:
        fail(f"{exc.filename or 'The result'} cannot be used: {exc.strerror}.", FAILED)
    except KeyboardInterrupt:
        fail("Interrupted.", INTERRUPTED)


def tell(sentence: str) -> None:
    """A line for the person, beside the result."""
    click.echo(f"troupe: {plain(sentence)}", err=True)


def fail(sentence: str, exit_code: int) -> None:
    tell(sentence)
    sys.exit(exit_code)


def rendered(shown: RenderableType) -> str:
    """As text of lines that end where they end."""
    terminal = sys.stdout is not None and sys.stdout.isatty()
    return laid_out(shown, shutil.get_terminal_size().columns if terminal else None)


def laid_out(shown: RenderableType, width: int | None) -> str:
    """For a terminal that is `width` wide; None for a file or a pipe, where nothing is folded and nothing is bold.

    What must not be folded may be wider: a terminal breaks such a line itself, and a program can still read it.
    """
    target = io.StringIO()
    console = Console(file=target, width=UNBOUND_WIDTH, force_terminal=width is not None, highlight=False, markup=False, emoji=False)
    if width is not None:
        console.width = max(width, console.measure(shown).minimum)
    console.print(shown)
    return "\n".join(line.rstrip() for line in target.getvalue().rstrip("\n").split("\n"))


def write(text: str) -> None:
    """The result, whole or not: what the disk or the pipe did not take is an OSError here and not after the command."""
    if sys.stdout is None:
        raise CommandError("The result cannot be written: standard output is closed.")
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    try:
        click.echo(text)
    except OSError as exc:
        _drop_output()
        if isinstance(exc, BrokenPipeError):
            raise
        raise CommandError(f"The result cannot be written: {exc.strerror}.") from exc


def _drop_output() -> None:
    """Otherwise Python would try to write the rest once more when it ends, and complain."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
