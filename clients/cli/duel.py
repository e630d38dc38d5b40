"""Two answers that are made at the same time, and how they are drawn while they are. Knows deltas and rich, no command.

A slow link gets four pictures a second at most, and none in which nothing changed.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from clients.cli.colours import colour_of
from clients.cli.terminal import printable
from clients.deltas import Delta, Usage
from clients.errors import TroupeError

NARROW = 72
"""Columns below which answers stand below each other: two of them would be too thin to read."""
REDRAW_S = 0.25


@dataclass
class Side:
    """One model's answer as far as it has come. `label` is what it is called while it is shown."""

    model: str
    label: str
    said: list[str] = field(default_factory=list)
    finish_reason: str | None = None
    usage: Usage | None = None
    waking: bool = False
    seconds: float | None = None
    """Until the whole answer was there."""
    failure: TroupeError | None = None

    @property
    def text(self) -> str:
        return "".join(self.said)

    async def listen(
        self, deltas: AsyncGenerator[Delta, None], drawn: "Drawing | None", clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Take the answer in; a failure is kept, so that the other side may end in peace."""
        began = clock()
        try:
            async with aclosing(deltas):
                async for delta in deltas:
                    self._take(delta)
                    if drawn is not None:
                        drawn.change()
            self.seconds = clock() - began
        except TroupeError as error:
            self.failure = error
        if drawn is not None:
            drawn.change()

    def to_json(self) -> dict[str, Any]:
        """What a program is told of it."""
        told: dict[str, Any] = {"model": self.model, "text": self.text, "finish_reason": self.finish_reason}
        told["usage"] = self.usage and {"prompt_tokens": self.usage.prompt_tokens, "completion_tokens": self.usage.completion_tokens}
        told["seconds"] = None if self.seconds is None else round(self.seconds, 3)
        if self.failure is not None:
            told["error"] = str(self.failure)
        return told

    def _take(self, delta: Delta) -> None:
        self.waking = delta.waking
        self.finish_reason = delta.finish_reason or self.finish_reason
        self.usage = delta.usage or self.usage
        if delta.text:
            self.said.append(delta.text)


@dataclass
class Duel:
    """Both sides, in the order in which they are shown."""

    sides: Sequence[Side]

    @property
    def failure(self) -> TroupeError | None:
        """The first side's that failed."""
        return next((side.failure for side in self.sides if side.failure is not None), None)

    @contextmanager
    def shown_on(self, console: Console) -> Iterator["Drawing"]:
        """Drawn on `console` for as long as the context lasts; what stays there is the whole of both answers."""
        try:
            with Live(console=console, auto_refresh=False, vertical_overflow="ellipsis", transient=True) as live:
                drawing = Drawing(lambda: live.update(self.picture(console.width), refresh=True))
                try:
                    yield drawing
                finally:
                    drawing.end()
        finally:
            console.print(self.picture(console.width))

    def picture(self, width: int) -> RenderableType:
        """Side by side, or one below the other where it is narrow."""
        if width < NARROW:
            return Group(*(part for side in self.sides for part in (_title(side), _body(side), Text())))
        table = Table.grid(padding=(0, 2), expand=True)
        for _ in self.sides:
            table.add_column(ratio=1, overflow="fold")
        table.add_row(*(_title(side) for side in self.sides))
        table.add_row(*(_body(side) for side in self.sides))
        return table


class Drawing:
    """Draws when something changed, at most once in `REDRAW_S` seconds; `draw` does it."""

    def __init__(self, draw: Callable[[], None]) -> None:
        self._draw = draw
        self._due: asyncio.TimerHandle | None = None

    def change(self) -> None:
        """Something changed: draw soon, together with what changes until then."""
        if self._due is None:
            self._due = asyncio.get_running_loop().call_later(REDRAW_S, self._now)

    def end(self) -> None:
        if self._due is not None:
            self._due.cancel()

    def _now(self) -> None:
        self._due = None
        self._draw()


def _title(side: Side) -> Text:
    return Text(side.label, style=f"bold {colour_of(side.label)}")


def _body(side: Side) -> Text:
    if side.failure is not None:
        return Text.assemble(printable(side.text), ("\n" if side.said else ""), (str(side.failure), "red"))
    if not side.text.strip() and side.seconds is not None:
        return Text("(said nothing)", style="dim")
    if not side.said:
        return Text("is waking up …" if side.waking else "…", style="dim")
    return Text(printable(side.text).rstrip())
