"""What is seen of work that takes long: bars where they can be read, plain lines where not."""

import io

from rich.console import Console

from adapters.cli.stages import Within, stages


def seen(*, terminal: bool) -> str:
    out = io.StringIO()
    console = Console(file=out, force_terminal=terminal, width=100, color_system=None)
    with stages(console) as watch:
        within = Within(watch, "Train")
        within("Loading", 0, 0)
        within("Looking", 3, 2000)
        watch.done("Train", "12 steps")
        watch("Publish", 1, 4)
        watch.note("Mind the [gap].\x1b[2J")
        watch.done("Publish")
    return out.getvalue()


def test_elsewhere_each_stage_is_a_line() -> None:
    """One when it begins, one with what came of it; nothing that steers a terminal."""
    assert seen(terminal=False).splitlines() == ["Train …", "Train: 12 steps", "Publish …", "Mind the [gap].\ufffd[2J"]


def test_on_a_terminal_each_stage_has_a_bar() -> None:
    """With its numbers, and what was said of it at its end."""
    lines = seen(terminal=True).splitlines()
    last = [next(line for line in reversed(lines) if name in line) for name in ("Train", "Publish")]
    assert "12 steps" in last[0]
    assert "done" in last[1]
