import itertools
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from adapters.training.packing import plan_epochs, rows, steps

LENGTHS = st.lists(st.integers(1, 40), min_size=1, max_size=60)


@given(LENGTHS, st.integers(8, 64), st.booleans())
def test_rows_hold_every_example_once_and_no_more_tokens_than_fit(lengths: list[int], limit: int, packing: bool) -> None:
    """Only an example that is longer than a row is longer than a row; without packing each has its own."""
    made = rows(lengths, range(len(lengths)), limit=limit, packing=packing)
    assert [place for row in made for place in row] == list(range(len(lengths)))
    assert all(len(row) == 1 or sum(lengths[place] for place in row) <= limit for row in made)
    assert packing or all(len(row) == 1 for row in made)


@given(LENGTHS, st.integers(8, 200))
def test_steps_hold_every_row_once_and_no_more_tokens_than_asked(lengths: list[int], tokens: int) -> None:
    """A step is as many rows as fit into it, and at least one."""
    packed = rows(lengths, range(len(lengths)), limit=40)
    plan = steps(lengths, packed, tokens=tokens)
    sizes = [[sum(lengths[place] for place in row) for row in step] for step in plan]
    assert [row for step in plan for row in step] == packed
    assert all(len(step) == 1 or sum(step) <= tokens for step in sizes)
    assert all(sum(step) + following[0] > tokens for step, following in itertools.pairwise(sizes))


@given(LENGTHS, st.sampled_from([0.3, 1.0, 2.0, 2.5]), st.integers(0, 3))
def test_every_epoch_goes_over_all_examples(lengths: list[int], epochs: float, seed: int) -> None:
    """Each example as often as there are epochs; of a part of an epoch, that part of them. The same seed gives the same plan."""
    asked = {"epochs": epochs, "tokens": 64, "limit": 40, "packing": True}
    plan = plan_epochs(lengths, seed=seed, **asked)  # type: ignore[arg-type]
    seen = Counter(place for step in plan for row in step for place in row)
    whole = int(epochs)
    assert all(whole <= seen[place] <= whole + 1 for place in range(len(lengths)))
    assert sum(seen.values()) - whole * len(lengths) == (max(1, round(len(lengths) * (epochs - whole))) if epochs > whole else 0)
    assert plan == plan_epochs(lengths, seed=seed, **asked)  # type: ignore[arg-type]


def test_epochs_differ_in_their_order() -> None:
    """The second time, examples have other neighbours."""
    plan = plan_epochs([10] * 20, epochs=2, tokens=40, limit=40, packing=True, seed=0)
    assert plan[:5] != plan[5:]
