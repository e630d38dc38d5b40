"""What a person sees while an adapter is trained, on stderr: a bar on a terminal, a line for each look at the held-out loss elsewhere."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn

from adapters.training.progress import Progress as Watch
from adapters.training.progress import TrainingProgress

_STAGES = {"loading": "Loading the base", "training": "Training", "saving": "Saving"}


def numbers(seen: TrainingProgress) -> str:
    """Such as "step 40 of 158, loss 0.82, held out 0.93, 3,900 tokens/s, 0:31 left"."""
    parts = [f"step {seen.step} of {seen.steps}"]
    if seen.train_loss is not None:
        parts.append(f"loss {seen.train_loss:.2f}")
    if seen.held_out_loss is not None:
        parts.append(f"held out {seen.held_out_loss:.2f}")
    if seen.tokens_per_second is not None:
        parts.append(f"{seen.tokens_per_second:,.0f} tokens/s")
    if seen.eta_seconds is not None:
        parts.append(f"{clock(seen.eta_seconds)} left")
    return ", ".join(parts)


def clock(seconds: float) -> str:
    """h:mm:ss, or m:ss below an hour."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


@contextmanager
def training_display(console: Console | None = None) -> Iterator[Watch]:
    """What to hand to `train` as its progress."""
    console = console or Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[numbers]}"))
    bar = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
    task = bar.add_task("", total=None, numbers="")
    looked: list[float] = []

    def watch(seen: TrainingProgress) -> None:
        if seen.note:
            console.print(escape(seen.note), soft_wrap=True, highlight=False)
        if not console.is_terminal and seen.held_out_loss is not None and looked[-1:] != [seen.held_out_loss]:
            looked.append(seen.held_out_loss)
            console.print(numbers(seen), soft_wrap=True, highlight=False)
        said = numbers(seen) if seen.stage == "training" else ""
        bar.update(task, description=_STAGES[seen.stage], completed=seen.step, total=seen.steps or None, numbers=said)

    with bar:
        yield watch
