"""`python -m adapters.demo --home DIR`: build the demo, or find it, and print where its parts are as one line of JSON.

Progress goes to stderr: bars on a terminal, a line a stage elsewhere.
"""

import json
import logging
import os
import signal
import sys
import threading
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from adapters.demo.build import DemoError, build_demo
from adapters.training.threads import share_the_cores

TITLES = {"waiting": "Waiting for another build of the demo", "exports": "Writing the communities' messages", "base": "Training the base"}


class StageProgress:
    """One bar per stage on a terminal; where `console` is none, a line when a stage starts."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._tasks: dict[str, TaskID] = {}
        self.bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.completed:.0f}/{task.total:.0f}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
        )

    def __call__(self, stage: str, done: int, total: int) -> None:
        title = TITLES.get(stage, f"Training {stage}'s adapter")
        if stage not in self._tasks:
            self._tasks[stage] = self.bars.add_task(title, total=total)
            if not self._console.is_terminal:
                self._console.print(f"{title} …")
        self.bars.update(self._tasks[stage], completed=done)


def end_with_standard_input() -> None:
    """Whoever started this holds the other end of standard input: when it is gone, so is this."""
    while os.read(0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGINT)


@click.command()
@click.option("--home", type=click.Path(path_type=Path, file_okay=False), required=True, help="Where all local state is kept.")
@click.option("--lifeline", is_flag=True, help="End as soon as standard input ends.")
def main(home: Path, lifeline: bool) -> None:
    """Build the demo base, two adapters and their exports, once."""
    if lifeline:
        threading.Thread(target=end_with_standard_input, daemon=True).start()
    share_the_cores()
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)  # it recommends a kernel that would have to be downloaded
    stages = StageProgress(Console(stderr=True))
    try:
        with stages.bars:
            demo = build_demo(home, stages)
    except DemoError as exc:
        click.echo(str(exc), err=True)
        sys.exit(1)
    except KeyboardInterrupt:
        click.echo("Interrupted; the next start builds the demo anew.", err=True)
        sys.exit(130)
    paths = {name: str(path) for name, path in demo.adapters.items()}
    exports = {name: str(path) for name, path in demo.exports.items()}
    click.echo(json.dumps({"base": str(demo.base), "adapters": paths, "exports": exports}))


if __name__ == "__main__":
    main()
