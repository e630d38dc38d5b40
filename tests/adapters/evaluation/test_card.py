import json
import math
from typing import Any

import pytest

from adapters.evaluation.card import assemble, checked
from adapters.evaluation.errors import CardTooLarge
from adapters.evaluation.models import check_adapter, find_base
from adapters.evaluation.settings import EvaluationSettings
from tests.adapters.evaluation.conftest import Tiny
from tests.adapters.evaluation.test_gates import CARD


def test_numbers_are_finite() -> None:
    """What is not a number becomes null, what is too large a large number: JSON has neither."""
    found = checked({"a": math.nan, "b": [math.inf, -math.inf, 1.5], "c": {"d": (True, None, "x")}})
    assert found == {"a": None, "b": [1e9, -1e9, 1.5], "c": {"d": [True, None, "x"]}}
    json.dumps(found, allow_nan=False)


def test_a_card_that_no_registry_takes_is_refused() -> None:
    """One sentence that says how large it is and what to do."""
    with pytest.raises(CardTooLarge, match="fewer samples"):
        checked({"samples": ["x" * 1000] * 1100})


def training(**changes: Any) -> dict[str, Any]:
    losses = [{"step": step, "train": 1.0, "held_out": 0.5 if step % 100 == 0 else None} for step in range(1, 2001)]
    return {
        "community": "zizou",
        "base": {"name": "/home/someone/models/base-7b"},
        "recipe": {"rank": 8},
        "losses": losses,
        "dataset": {"hash": "x"},
        **changes,
    }


def test_a_card_names_everything_it_is_about_and_nothing_of_the_machine(tiny: Tiny) -> None:
    """Adapter, base with fingerprint, dataset, training with its losses thinned but no look at the held-out loss lost; no path of it."""
    base = find_base(tiny.base, "bitsandbytes")
    valid = check_adapter(base, tiny.good)
    card = assemble(
        CARD, adapter=(tiny.good, valid), base=base, dataset=tiny.dataset, training=training(), settings=EvaluationSettings(seed=3)
    )
    assert (card["schema"], card["community"], card["settings"]["seed"]) == (1, "zizou", 3)
    assert card["adapter"] == {"name": "good", "rank": 8, "alpha": 16, "bytes": (tiny.good / "adapter_model.safetensors").stat().st_size}
    assert card["base"] == {"name": "base-7b", "fingerprint": base.fingerprint, "quantization": "bitsandbytes"}
    assert card["dataset"] == {"hash": tiny.dataset.content_hash, "train": 48, "held_out": 24}
    losses = card["training"]["losses"]
    assert len(losses) < 250
    assert sum(each["held_out"] is not None for each in losses) == 20
    assert card["passed"] is True
    assert "someone" not in json.dumps(card)
    assert str(tiny.base.parent) not in json.dumps(card)


def test_without_a_training_the_dataset_names_the_community(tiny: Tiny) -> None:
    """An adapter from elsewhere can be judged too."""
    base = find_base(tiny.base, "bitsandbytes")
    valid = check_adapter(base, tiny.good)
    card = assemble(CARD, adapter=(tiny.good, valid), base=base, dataset=tiny.dataset, training=None, settings=EvaluationSettings())
    assert (card["community"], card["training"], card["base"]["name"]) == ("tiny", None, "base")
