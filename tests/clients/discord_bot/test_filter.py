"""What is left of an answer. No slur and no swearing is written in this file: they come from the packed lists."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.slurs import harmless, slurs
from clients.discord_bot.filter import LEFT_OUT, Filter
from clients.discord_bot.guild_settings import Level
from clients.discord_bot.swearwords import swearwords
from tests.adapters.curation.privacy.chat import BANTER

FILTER = Filter()
WORDS = [word for word in slurs() if word.isascii() and word.isalpha()]
LONG = [word for word in WORDS if len(word) >= 5]
WIDE = str.maketrans({chr(code): chr(code + 0xFEE0) for code in range(ord("a"), ord("z") + 1)})
FOREIGN = str.maketrans("aeopcx", "аеорсх")
LEET = str.maketrans("ieao", "1340")


@pytest.mark.parametrize(
    "disguise",
    [
        lambda word: word,
        lambda word: word.upper(),
        lambda word: f"**{word.title()}**",
        lambda word: f"||{word}||",
        lambda word: word.translate(WIDE),
        lambda word: word.translate(FOREIGN),
        lambda word: "\u200b".join(word),
        lambda word: word[0] + word[1] * 4 + word[2:],
    ],
)
def test_every_slur_is_left_out_however_it_is_dressed(disguise: object) -> None:
    """In capitals, bold, as a spoiler, in wide or foreign letters, drawn out, with something invisible in it."""
    assert callable(disguise)
    said = {word: FILTER.clean(f"you {disguise(word)}, no", Level.MILD).text for word in WORDS}
    assert [word for word, left in said.items() if LEFT_OUT not in left or not left.startswith("you ") or not left.endswith(", no")] == []


@pytest.mark.parametrize("disguise", [" ".join, ".".join, "-".join, lambda word: word.translate(LEET)])
def test_longer_slurs_are_left_out_in_pieces(disguise: object) -> None:
    """Spelt with something between the letters, or with figures for them."""
    assert callable(disguise)
    assert [word for word in LONG if not FILTER.clean(disguise(word), Level.MILD).removed] == []


@pytest.mark.parametrize("text", [*BANTER, *(f"what a nice {phrase} that is" for phrase in harmless())])
def test_banter_passes_a_mild_filter_untouched(text: str) -> None:
    """Not Scunthorpe, not the class, not a country, not a curse, not an animal."""
    assert FILTER.clean(text, Level.MILD).text == text


def test_the_strict_filter_leaves_out_swearing_too() -> None:
    """All of its list, in capitals as well; the mild one lets it pass, and nothing at all is left out where it is off."""
    words = [word for word in swearwords() if word not in slurs()]
    assert len(words) > 100
    assert [word for word in words if FILTER.clean(f"well {word.upper()} then", Level.STRICT).text != f"well {LEFT_OUT} then"] == []
    assert [word for word in words if FILTER.clean(word, Level.MILD).removed] == []
    assert FILTER.clean("graduated cum laude", Level.STRICT).removed == 0
    assert FILTER.clean(WORDS[0], Level.OFF).text == WORDS[0]


@pytest.mark.parametrize("text", ["go kill yourself", "KYS", "kill\nyourself", "**Kill** yourself", "k1ll urs3lf"])
def test_nobody_is_told_to_die(text: str) -> None:
    """Not where the filter is mild either, in whatever dress; games are still talked about."""
    assert FILTER.clean(text, Level.MILD).removed == 1
    assert FILTER.clean("I'll kill your knight myself", Level.MILD).removed == 0


@pytest.mark.parametrize(
    ("text", "mild", "strict"),
    [
        ("come to discord.gg/abc now", f"come to {LEFT_OUT} now", f"come to {LEFT_OUT} now"),
        ("see https://example.org/a?b=c, ok", None, f"see {LEFT_OUT} ok"),
        ("[my bank](https://evil.example/login) says", "my bank (https://evil.example/login) says", f"my bank ({LEFT_OUT}) says"),
        ("<https://example.org>", None, ""),
        ("https://discord.com/invite/abc", "", ""),
        ("3 > 2, a.b and [so on] (really)", None, "3 > 2, a.b and [so on] (really)"),
    ],
)
def test_links_by_level(text: str, mild: str | None, strict: str) -> None:
    """Invitations never; no link behind other words; strictly no link at all. Where nothing else was said, nothing is left."""
    assert FILTER.clean(text, Level.MILD).text == (text if mild is None else mild)
    assert FILTER.clean(text, Level.STRICT).text == strict


@given(st.lists(st.sampled_from(["a", "b ", "é", "1", "!", "\u200b", "[x](https://a.b)", LONG[0], LONG[1].upper(), "ｗ", "ß", "İ", " "])))
def test_filtering_twice_changes_nothing_more(parts: list[str]) -> None:
    """And it never makes a text of nothing."""
    once = FILTER.clean("".join(parts), Level.STRICT)
    assert FILTER.clean(once.text, Level.STRICT).text == once.text
    assert len(once.text) <= len("".join(parts)) + 3 * once.removed
