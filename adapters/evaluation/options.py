"""The options of `troupe evaluate` that concern running servers and comparisons. Imports no torch, asks nobody."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from adapters.cli.errors import BadUsage


@dataclass(frozen=True)
class Online:
    """What was given. Empty strings and tuples stand for what was not."""

    url: str = ""
    served: str = ""
    """Under which model string the adapter is served."""
    harness: tuple[str, ...] = ()
    include_path: Path | None = None
    limit: int | None = None
    claim: str = ""

    def check(self, models: int) -> None:
        """Whether they go with so many models. Raises BadUsage."""
        if self.claim and models < 2:
            raise BadUsage("A --claim is about an order: name the models that it orders.")
        if self.served and models > 1:
            raise BadUsage("--served is for a report card: in a comparison, name the served model beside the others.")
        if self.harness and models < 2 and not self.served:
            raise BadUsage("--harness asks a running server: say with --served under which name it serves this adapter, as in zizou@3.")
        if (self.include_path or self.limit) and not self.harness:
            raise BadUsage("--include-path and --limit are for --harness: name its tasks too.")


_OPTIONS = (
    click.option("--served", default="", metavar="MODEL", help="Also ask the running server, where the adapter is called MODEL."),
    click.option("--url", default="", help="The running server.  [default: TROUPE_URL, else this machine's; key: TROUPE_EVALUATE_KEY]"),
    click.option("--harness", default="", metavar="TASKS", help="Tasks of lm-evaluation-harness, for the running server: a,b,c."),
    click.option("--include-path", type=click.Path(path_type=Path), metavar="DIR", help="With --harness: a folder of task files."),
    click.option("--limit", type=click.IntRange(1), help="With --harness: examples of each task."),
    click.option("--claim", default="", metavar='"A < B < C"', help="With several models: check this order of them."),
)


def online_options(command: Callable[..., None]) -> Callable[..., None]:
    """Around a command's function, which takes them together as `online`."""

    @functools.wraps(command)
    def gathered(
        *arguments: Any, served: str, url: str, harness: str, include_path: Path | None, limit: int | None, claim: str, **others: Any
    ) -> None:
        tasks = tuple(name.strip() for name in harness.split(",") if name.strip())
        online = Online(url.strip(), served.strip(), tasks, include_path, limit, claim.strip())
        command(*arguments, online=online, **others)

    for option in reversed(_OPTIONS):
        gathered = option(gathered)
    return gathered
