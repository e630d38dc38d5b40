"""The decisions of a training: how fast it learns when, what was best, and when it is over."""

import io

import pytest
from rich.console import Console

from adapters.training.checkpoint import Loss
from adapters.training.display import clock, numbers, training_display
from adapters.training.loop import best_step, is_over, rate
from adapters.training.progress import TrainingProgress
from adapters.training.recipe import TrainingRecipe


def curve(*looks: float | None) -> list[Loss]:
    return [Loss(step, 1.0, held_out) for step, held_out in enumerate(looks, start=1)]


@pytest.mark.parametrize("decay", ["cosine", "linear"])
def test_the_learning_rate_rises_and_then_falls(decay: str) -> None:
    """To its peak over the warm-up, then down; it is never zero, so that no step is for nothing."""
    recipe = TrainingRecipe(warmup=0.1).changed({"decay": decay})
    rates = [rate(step, 100, recipe) for step in range(100)]
    assert rates[:10] == sorted(rates[:10])
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert max(rates) == rates[9] == 1.0
    assert min(rates) >= 0.02
    assert rates[55] == pytest.approx(0.5, abs=0.01)


def test_decays_differ_in_their_shape() -> None:
    """The cosine stays high for longer."""
    cosine, linear = (TrainingRecipe(warmup=0.0).changed({"decay": name}) for name in ("cosine", "linear"))
    assert rate(25, 100, cosine) > rate(25, 100, linear) + 0.05


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_a_short_training_has_a_rate_too(steps: int) -> None:
    """Also one of a single step."""
    assert all(0 < rate(step, steps, TrainingRecipe()) <= 1 for step in range(steps))


@pytest.mark.parametrize(
    ("looks", "best"),
    [((None, 2.0, None, 1.0, 1.5), 4), ((1.0, 1.0, 1.0), 1), ((None, None), 2)],
)
def test_the_best_is_the_earliest_of_the_lowest(looks: tuple[float | None, ...], best: int) -> None:
    """The last step where nobody looked."""
    assert best_step(curve(*looks)) == best


@pytest.mark.parametrize(
    ("looks", "patience", "over"),
    [
        ((2.0, 1.0, None, 1.5, 1.2), 2, True),
        ((2.0, 1.0, None, 1.5), 2, False),
        ((2.0, 1.0, 1.5, 0.9), 2, False),
        ((2.0, 3.0, 4.0, 5.0), 0, False),
        ((), 1, False),
        ((None, None), 1, False),
    ],
)
def test_training_is_over_when_nothing_got_better_for_long(looks: tuple[float | None, ...], patience: int, over: bool) -> None:
    """As many looks as there is patience; without any, never."""
    assert is_over(curve(*looks), patience) is over


SEEN = TrainingProgress("training", 40, 158, tokens_per_second=3912.3, train_loss=0.82, held_out_loss=0.934, eta_seconds=30.8)


def test_numbers_are_said_in_one_line() -> None:
    """What is not known yet is left out."""
    assert numbers(SEEN) == "step 40 of 158, loss 0.82, held out 0.93, 3,912 tokens/s, 0:31 left"
    assert numbers(TrainingProgress("training", 1, 158)) == "step 1 of 158"


@pytest.mark.parametrize(("seconds", "said"), [(0.4, "0:00"), (61, "1:01"), (3600, "1:00:00"), (37_230.0, "10:20:30")])
def test_time_is_said_as_on_a_clock(seconds: float, said: str) -> None:
    """Minutes and seconds, hours only where there are any."""
    assert clock(seconds) == said


def test_without_a_terminal_each_look_is_a_line() -> None:
    """And each note; steps between them say nothing."""
    target = io.StringIO()
    with training_display(Console(file=target, force_terminal=False)) as watch:
        watch(TrainingProgress("loading", note="8B, rank 16, 2,048 tokens: 9.6 GB of 24 GB [fits]"))
        watch(SEEN)
        watch(TrainingProgress("training", 41, 158, held_out_loss=0.934))
        watch(TrainingProgress("training", 80, 158, held_out_loss=0.9))
        watch(TrainingProgress("saving", 158, 158))
    assert target.getvalue().splitlines() == [
        "8B, rank 16, 2,048 tokens: 9.6 GB of 24 GB [fits]",
        numbers(SEEN),
        "step 80 of 158, held out 0.90",
    ]


def test_on_a_terminal_there_is_a_bar() -> None:
    """With the numbers beside it."""
    target = io.StringIO()
    with training_display(Console(file=target, force_terminal=True, width=200)) as watch:
        watch(SEEN)
    assert "Training" in target.getvalue()
    assert "3,912 tokens/s" in target.getvalue()
