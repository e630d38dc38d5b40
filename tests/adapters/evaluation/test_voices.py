import json
from pathlib import Path

import pytest

from adapters.evaluation.voices import VoiceClassifier, held_out_messages, shares, words

TEXTS = {"sea": ["the boat and the tide", "a tide again"], "hill": ["the goat and the grass", "a goat again"]}


def test_words_ignore_case_and_punctuation() -> None:
    """Only words count, the names of custom emoji among them."""
    assert words("Don't STOP, :wave: 😂!") == ["don't", "stop", "wave"]


def test_a_text_goes_to_those_who_talk_like_that() -> None:
    """One telling word decides where the others are shared."""
    classifier = VoiceClassifier.fit(TEXTS)
    assert classifier.classify("the boat again") == "sea"
    assert classifier.classify("The GOAT!") == "hill"


def test_unknown_words_tip_no_scale() -> None:
    """With as many words on both sides, a word that nobody used leaves a tie, which the first name gets."""
    classifier = VoiceClassifier.fit(TEXTS)
    assert len(set(classifier.score("zebra").values())) == 1
    assert classifier.classify("zebra") == "hill"


def test_shares_name_every_community() -> None:
    """The shares of attributed replies sum to one and leave no community out."""
    assert shares(VoiceClassifier.fit(TEXTS), ["tide", "boat"]) == {"sea": 1.0, "hill": 0.0}


@pytest.mark.parametrize("texts", [{"sea": ["tide"]}, {"sea": ["tide"], "hill": ["!"]}])
def test_nothing_to_tell_apart_is_an_error(texts: dict[str, list[str]]) -> None:
    """One community, or one without words, cannot be told apart from anything."""
    with pytest.raises(ValueError, match="two communities"):
        VoiceClassifier.fit(texts)


def test_held_out_messages_are_the_last_ones(tmp_path: Path) -> None:
    """The held-out share is the end of the export, bots left out."""
    said = [
        {
            "id": str(n),
            "type": "Default",
            "timestamp": "2026-01-01",
            "content": f"m{n}",
            "author": {"id": "1", "name": "a", "isBot": n == 9},
        }
        for n in range(10)
    ]
    (tmp_path / "x.json").write_text(json.dumps({"messages": said}))
    assert held_out_messages(tmp_path, share=0.34) == ["m6", "m7", "m8"]
