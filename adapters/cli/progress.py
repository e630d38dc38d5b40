"""What a person sees while something takes long, on stderr and on a terminal only."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from adapters.cli.registrar import Sent

LARGE = 8 << 20
"""Bytes. Less is sent before a bar could be read."""


@contextmanager
def uploading(console: Console | None = None) -> Iterator[Sent]:
    """A bar for what is sent; once all is, the checks that follow have only a clock."""
    console = console or Console(stderr=True)
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    task = bar.add_task("Sending", total=None, visible=False)

    def sent(done: int, total: int) -> None:
        said = "Sending" if done < total else "Being checked and stored"
        bar.update(task, description=said, completed=done, total=total, visible=total >= LARGE)

    with bar:
        yield sent


@contextmanager
def waiting(what: str, console: Console | None = None) -> Iterator[None]:
    """A clock beside what is done."""
    console = console or Console(stderr=True)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as clock:
        clock.add_task(what, total=None)
        yield
