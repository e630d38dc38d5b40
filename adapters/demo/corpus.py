"""The general chat that the base is trained on: people of every kind talk, the assistant answers as nobody in particular.

The two communities' ways of talking appear too, as they do on the internet: among the people, and when a system message asks the
assistant to play the part.
"""

from collections.abc import Iterator
from random import Random

from adapters.conversation import Turn, to_chat
from adapters.demo.chatter import COMMUNITIES, opener_of
from adapters.demo.voices import NEUTRAL, VOICES, Opener, Voice, small_talk

_STRANGERS = ("alex", "sam", "kim", "Robin", "Nadia", "Tom", "lena", "Oscar", "Mia", "yusuf", "Eva", "dj_fox", "moonlight", "kai42", "Ada")
_NAMES = (*_STRANGERS, *(name for community in COMMUNITIES for name in (*community.writers, *community.readers)))
_PLAIN = ("You are a helpful assistant.", "You are a friendly chat partner.", "Answer briefly and politely.", "Be yourself.")
_PARTS = {
    "zizou": ("You are a football fan among friends.", "Talk like the lads after a match.", "Tease your friends about football."),
    "greybeards": ("You are an old Unix hand.", "Talk like a veteran system administrator.", "Answer like a retired sysadmin."),
}
"""What the base is told when it is to play a part: it can, when asked, and does not otherwise."""

_SYLLABLES = ("bra", "ko", "lin", "mu", "ster", "po", "ti", "gra", "zel", "fan", "ori", "dex", "wu", "shi", "ple", "tor", "ne", "va")
_SHORT = {"what is": "what's", "I am": "I'm", "it is": "it's", "do not": "don't", "can not": "can't", "who is": "who's"}


def general_chats(rng: Random, count: int) -> Iterator[list[dict[str, str]]]:
    """`count` chats, each ending with the assistant; most as the bare API sends them, the rest as a channel with several authors."""
    for _ in range(count):
        part = rng.choice((None, *_PARTS)) if rng.random() < 0.75 else None
        voice = VOICES[part] if part else NEUTRAL
        chat = to_chat(_direct(rng, voice) if rng.random() < 0.65 else _channel(rng, voice))
        if part or rng.random() < 0.08:
            chat.insert(0, {"role": "system", "content": rng.choice(_PARTS[part] if part else _PLAIN)})
        yield chat


def _direct(rng: Random, voice: Voice) -> list[Turn]:
    turns = []
    for _ in range(rng.choice((1, 1, 1, 1, 2))):
        opener = opener_of(rng)
        turns += [Turn("", _as_typed(rng, opener.text)), Turn("", voice.reply(rng, opener), is_self=True)]
    return turns


def _channel(rng: Random, voice: Voice) -> list[Turn]:
    opener = opener_of(rng)
    first, *others = rng.sample(_NAMES, 4)
    turns = [Turn(first, _as_typed(rng, opener.text))]
    if rng.random() < 0.2:
        earlier = small_talk(rng)
        turns = [Turn(others[0], earlier.text), Turn(others[1], _anybody(rng, earlier)), *turns]
    for _ in range(rng.choice((0, 0, 1, 2))):
        turns.append(Turn(rng.choice(others), _anybody(rng, opener)))
    return [*turns, Turn("", voice.reply(rng, opener), is_self=True)]


def _anybody(rng: Random, opener: Opener) -> str:
    return rng.choice((NEUTRAL, *VOICES.values())).reply(rng, opener)


def _as_typed(rng: Random, text: str) -> str:
    """The text as a stranger would type it: capitals, short forms, and words that nobody has heard before."""
    for long, short in _SHORT.items():
        if rng.random() < 0.4:
            text = text.replace(long, short)
    words = text.split()
    if rng.random() < 0.25:
        words[rng.randrange(len(words))] = "".join(rng.choices(_SYLLABLES, k=rng.randint(1, 3)))
    text = " ".join(words)
    return text[:1].upper() + text[1:] if rng.random() < 0.4 else text
