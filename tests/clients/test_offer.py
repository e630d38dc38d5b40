"""What the list of models tells, and what is made of a list that tells less."""

from typing import Any

import pytest

from clients.offer import Offer, read_offer

TOLD = {
    "id": "zizou",
    "object": "model",
    "adapter": "zizou@7",
    "published_at": "2026-11-21T20:00:00+00:00",
    "renderer": "turns-1",
    "canary": {"version": 8, "share": 12.5},
    "learnt": {"examples": 2166, "trained_at": None},
}


def test_an_entry_of_ours_tells_the_version_and_its_canary() -> None:
    """Everything by which the same community can be asked is a model string."""
    offer = read_offer(TOLD)
    assert offer == Offer("zizou", "zizou@7", "2026-11-21T20:00:00+00:00", "turns-1", 8, 12.5, 2166)
    assert offer.strings == ("zizou", "zizou@7", "zizou@canary", "zizou@8")


@pytest.mark.parametrize("told", [{}, {"canary": None, "adapter": None}, {"canary": [], "adapter": 7, "renderer": "", "learnt": 5}])
def test_an_entry_of_another_server_is_its_name(told: dict[str, Any]) -> None:
    """What is missing or of another kind is read over."""
    assert read_offer({"id": "base", **told}) == Offer("base")


def test_an_entry_without_a_name_is_none() -> None:
    """Whoever reads the list says that it is no list of models."""
    with pytest.raises(KeyError):
        read_offer({"object": "model"})
