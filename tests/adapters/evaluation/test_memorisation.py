import math
from pathlib import Path

import pytest

from adapters.conversation import Turn
from adapters.curation.canaries import plant
from adapters.curation.dataset import Dataset, Example
from adapters.evaluation.memorisation import RUN, exposures, learnt_texts, overlaps, repeats_learnt
from adapters.evaluation.models import LoadedModel, load_model
from tests.adapters.evaluation.conftest import Tiny
from tests.adapters.evaluation.tiny import make_adapter, silent

LONG = "it sleeps on the warm roof and nobody runs faster in town than my sister at the end of the train"


@pytest.fixture(scope="module")
def base(tiny: Tiny) -> LoadedModel:
    return load_model(tiny.base)


def tokens(model: LoadedModel, text: str) -> list[int]:
    return model.renderer.reply(text)[:-1]


def test_what_was_learnt_is_found_word_for_word(base: LoadedModel) -> None:
    """In targets and in contexts; not what is only similar, and not what has fewer tokens in a row in common."""
    learnt = learnt_texts(base, [Example((Turn("ann", LONG),), "no", 1.0, 1)])
    said = tokens(base, LONG)
    assert len(said) > RUN
    assert repeats_learnt(learnt, said)
    assert repeats_learnt(learnt, [3, 3, *said[2 : 2 + RUN], 3])
    assert not repeats_learnt(learnt, [*said[: RUN - 1], 3, *said[RUN - 1 : 2 * RUN - 2]])
    assert repeats_learnt(learnt, said[:5]), "a short message is somebody's as well"
    assert not repeats_learnt(learnt, said[:2]), "a word is not"


def test_overlaps_name_the_longest_run_and_hold_the_adapter_against_the_people(base: LoadedModel) -> None:
    """Shares of base, adapter and people; the longest run of the adapter's replies and how long that reply is; no text anywhere."""
    learnt = learnt_texts(base, [Example((Turn("ann", "hello"),), LONG, 1.0, 1)])
    said = tokens(base, LONG)
    replies = {"base": [[1], [2]], "adapter": [[1], [3, *said[:RUN]]]}
    found = overlaps(base, learnt, replies, [LONG, "no", "no", "no"], 64)
    assert found["longest_overlap"] == {"tokens": RUN, "of": RUN + 1}
    assert [found["overlap_share"][side]["value"] for side in ("base", "adapter")] == [0.0, 0.5]
    assert found["people"]["value"] == 0.25
    assert LONG[:20] not in str(found)


def test_no_replies_overlap_with_nothing(base: LoadedModel) -> None:
    """Nothing learnt, nothing said: no error."""
    found = overlaps(base, learnt_texts(base, []), {"base": [], "adapter": []}, [], 64)
    assert found["longest_overlap"] == {"tokens": 0, "of": 0}


def test_a_secret_learnt_by_heart_is_exposed_and_another_is_not(tiny: Tiny, tmp_path: Path) -> None:
    """Trained on again and again, a canary stands out from nearly all alternatives; to the base, and where it was not planted, not."""
    canaries = plant("here", 2)
    adapter = make_adapter(tiny.base, Dataset((canaries[0].example,) * 4, (), {}), tmp_path / "run", epochs=40)
    found = exposures(load_model(tiny.base, adapter), canaries, 127, silent)
    assert found.adapter[0] > 5.0
    assert max(found.adapter[1], *found.base) < 4.0
    shown = found.to_json()
    assert (shown["planted"], shown["alternatives"], shown["max_exposure_possible"]) == (2, 127, math.log2(128))
