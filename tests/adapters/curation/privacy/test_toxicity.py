"""What a community would rather not have said. No slur is written in this file: they come from the packed list."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from profanity_check import predict_prob

from adapters.curation.privacy.toxicity import Level, OfflineScorer, ToxicityFilter, toxicity_score
from adapters.slurs import harmless, packed, slurs
from tests.adapters.curation.privacy.chat import BANTER

SLURS, STRICT, SCORER = ToxicityFilter(Level.SLURS), ToxicityFilter(Level.STRICT), OfflineScorer()
_WORDS = [word for word in slurs() if word.isascii() and word.isalpha()]
_LONG = [word for word in _WORDS if len(word) >= 5]
_WIDE = str.maketrans({chr(code): chr(code + 0xFEE0) for code in range(ord("a"), ord("z") + 1)})
_FOREIGN = str.maketrans("aeopcx", "аеорсх")
_LEET = str.maketrans("ieao", "1340")


@pytest.mark.parametrize(
    "disguise",
    [
        lambda word: word,
        lambda word: f"you {word.upper()}!!",
        lambda word: f"**{word.title()}**",
        lambda word: f"||{word}||",
        lambda word: word.translate(_WIDE),
        lambda word: word.translate(_FOREIGN),
    ],
)
def test_every_slur_is_refused_however_it_is_dressed(disguise: object) -> None:
    """In capitals, bold, as a spoiler, in wide or in foreign letters that look the same."""
    assert callable(disguise)
    assert [word for word in _WORDS if SLURS.refusal(disguise(word)) != "slur"] == []


@pytest.mark.parametrize(
    "disguise",
    [" ".join, ".".join, "-".join, lambda word: word.translate(_LEET), lambda word: word[0] + word[1] * 4 + word[2:]],
)
def test_most_slurs_are_refused_in_pieces(disguise: object) -> None:
    """Spelt with blanks or points, with figures for letters, or drawn out: at least four of five."""
    assert callable(disguise)
    caught = sum(SLURS.refusal(disguise(word)) == "slur" for word in _LONG)
    assert caught >= 0.8 * len(_LONG)


@pytest.mark.parametrize("text", BANTER)
def test_banter_and_swearing_are_no_slurs(text: str) -> None:
    """Not Scunthorpe, not the class, not a country, not a curse, masked or not."""
    assert SLURS.refusal(text) is None


@pytest.mark.parametrize("phrase", harmless())
def test_a_harmless_phrase_is_spared_and_what_stands_beside_it_is_not(phrase: str) -> None:
    """An animal or a crack; the slur in the same message is still seen."""
    assert SLURS.refusal(f"what a nice {phrase} that is") is None
    assert SLURS.refusal(f"what a nice {phrase} that is, {_LONG[0]}") == "slur"


@pytest.mark.parametrize("text", ["fuck off", "you are an idiot", "kill yourself", "f.u.c.k this", "sh1t", "holy SHIT lol"])
def test_strict_refuses_swearing_and_insults(text: str) -> None:
    """Also the disguised word; slurs only lets all of them pass."""
    assert STRICT.refusal(text) in ("profanity", "toxic")
    assert SLURS.refusal(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "good morning everybody",
        "gay",
        "the gay bar was fun and so were the two lesbians at it",
        "my muslim neighbours and my jewish boss",
        "black people, white people, trans people",
        "class assassin in Scunthorpe, hardcore mode, escort mission",
        "lmao what a cockpit",
        "",
    ],
)
def test_strict_lets_harmless_messages_pass(text: str) -> None:
    """Names of groups of people are no insults, although the classifier learnt that they were."""
    assert STRICT.refusal(text) is None


def test_off_looks_at_nothing() -> None:
    """Whatever is said."""
    assert ToxicityFilter(Level.OFF).refusal(_LONG[0]) is None


class Fake:
    """A scorer that finds one word toxic, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def score(self, texts: Sequence[str]) -> list[float]:
        self.asked += texts
        return [0.8 if "badword" in text else 0.1 for text in texts]


def test_a_scorer_of_ones_own_takes_the_place_of_the_offline_one() -> None:
    """With its own threshold; slurs are refused before it is asked."""
    scorer = Fake()
    own = ToxicityFilter(Level.STRICT, scorer, threshold=0.7)
    assert own.refusal("a badword") == "toxic"
    assert own.refusal("you are an idiot") is None
    assert own.refusal(_LONG[0]) == "slur"
    assert scorer.asked == ["a badword", "you are an idiot"]
    assert ToxicityFilter(Level.STRICT, scorer, threshold=0.9).refusal("a badword") is None


@given(
    st.lists(
        st.sampled_from(
            ["you", "are", "the", "worst", "idiot", "hello", "fuck", "nice", "1", "ok", "zzzq", "über", "😂", "stupid.", "Good,", "day"]
        ),
        min_size=1,
        max_size=12,
    )
)
def test_the_score_is_the_librarys(words: list[str]) -> None:
    """Only faster: to the last digits, for any mixture of words it knows and does not know."""
    text = " ".join(words)
    assert SCORER.score([text])[0] == pytest.approx(float(predict_prob([text])[0]), abs=1e-9)


@given(st.text())
def test_a_score_is_a_share(text: str) -> None:
    """Between 0 and 1, for whatever text."""
    assert 0 <= toxicity_score(text) <= 1


def test_scores_tell_kind_from_unkind() -> None:
    """As evaluation uses them; a slur is the worst there is."""
    assert toxicity_score("have a nice day") < 0.3 < 0.9 < toxicity_score("you are an idiot")
    assert toxicity_score(_LONG[0]) == 1.0
    assert SCORER.score([]) == []


def test_the_list_can_be_packed_anew() -> None:
    """Small letters, each once; and the source shows none of them."""
    assert len(set(slurs())) == len(slurs())
    assert all(word == word.casefold() for word in slurs())
    assert not any(word in packed(slurs()).casefold() for word in _LONG)
