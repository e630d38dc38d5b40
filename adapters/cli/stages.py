"""What a person sees of work that has stages, on stderr: a bar for each on a terminal, elsewhere a plain line when one begins."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from adapters.cli.text import plain


class Watch(Protocol):
    """Told (stage, done, total) as work goes on. A total of 0 means that it is not known; `said`: in place of the numbers."""

    def __call__(self, stage: str, done: int, total: int, said: str = "") -> None: ...


@dataclass(frozen=True)
class Within:
    """What is done inside of one stage is shown on its line."""

    watch: Watch
    stage: str

    def __call__(self, stage: str, done: int, total: int, said: str = "") -> None:
        numbers = said or (f"{done:,} of {total:,}" if total else "")
        self.watch(self.stage, done, total, f"{stage[:1].lower()}{stage[1:]} {numbers}".strip())


class Stages:
    """Call it with (stage, done, total) as work goes on."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._tasks: dict[str, TaskID] = {}
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[said]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
        )
        self.bars = Progress(*columns, console=console, disable=not console.is_terminal)

    def __call__(self, stage: str, done: int, total: int, said: str = "") -> None:
        if stage not in self._tasks:
            self._tasks[stage] = self.bars.add_task(plain(stage), total=None, said="")
            if not self._console.is_terminal:
                self.note(f"{stage} …")
        said = said or (f"{done:,} of {total:,}" if total else f"{done:,}" if done else "")
        self.bars.update(self._tasks[stage], completed=done, total=total or None, said=plain(said))

    def done(self, stage: str, said: str = "") -> None:
        """That stage is over."""
        self(stage, 1, 1, said or "done")
        if not self._console.is_terminal and said:
            self.note(f"{stage}: {said}")

    def note(self, sentence: str) -> None:
        """Above the lines, and it stays there."""
        self.bars.console.print(plain(sentence), soft_wrap=True, highlight=False, markup=False)


@contextmanager
def stages(console: Console | None = None) -> Iterator[Stages]:
    watch = Stages(console or Console(stderr=True))
    with watch.bars:
        yield watch
