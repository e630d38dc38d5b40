"""What callers may know of how an adapter was trained."""

import pytest

from adapters.registry.lesson import lesson_of


def test_it_is_what_the_training_manifest_says() -> None:
    """Three things of it, and nothing of the machine, the recipe or the dataset's hash."""
    training = {"renderer": "turns-1", "dataset": {"hash": "sha256:00", "train": 812}, "made_at": "2026-11-01T10:00:00+00:00", "recipe": {}}
    assert lesson_of(training) == {"renderer": "turns-1", "examples": 812, "made_at": "2026-11-01T10:00:00+00:00"}


@pytest.mark.parametrize(
    "training",
    [
        None,
        {},
        {"renderer": 1, "dataset": {"train": -1}, "made_at": ""},
        {"renderer": "x" * 65, "dataset": {"train": True}, "made_at": "a\nb"},
        {"dataset": "all of it", "renderer": ["turns-1"]},
    ],
)
def test_what_it_does_not_say_in_the_right_form_is_not_known(training: dict[str, object] | None) -> None:
    """A manifest comes from whoever publishes."""
    assert lesson_of(training) is None
