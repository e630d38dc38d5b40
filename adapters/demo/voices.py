"""Says things: an opener of any kind, and a reply to it that is neutral or in a community's voice."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from zlib import crc32

from adapters.demo import greybeards, smalltalk, zizou
from adapters.demo.grammar import Lexicon, expand

ACTS = tuple(smalltalk.OPENERS)
_WORD = re.compile(r"\w+")
_THINGS = frozenset(word for kind in (*smalltalk.THINGS, "subject") for word in smalltalk.LEXICON[kind].split("|") if " " not in word) | {
    "egg",
    "puncture",
    "shirt",
    "tree",
    "wall",
    "spanish",
    "knife",
    "stain",
    "suitcase",
    "speech",
}


@dataclass(frozen=True)
class Opener:
    """What starts a conversation: the act it is, its text, and the thing it is about where it names one."""

    act: str
    text: str
    thing: str | None


@dataclass(frozen=True)
class Voice:
    """How one kind of speaker replies: `replies` by act, `about` for anything that names a thing, `openers` of its own."""

    replies: Mapping[str, tuple[str, ...]]
    about: tuple[str, ...]
    openers: tuple[str, ...]
    openers_act: str
    lexicon: Lexicon
    ending: str = ""
    """A template that every reply ends with."""

    def reply(self, rng: Random, opener: Opener) -> str:
        """One reply to the opener, about its thing where there is one.

        Every second time the template is given by how the opener begins (or by the thing): habits that a model can learn, so that its
        likeliest reply differs from question to question.
        """
        pool, cue = self.replies[opener.act], " ".join(opener.text.lower().split()[:2])
        if opener.thing is None:
            pool = tuple(template for template in pool if "{T}" not in template) or self.replies["odd"]
        elif self.about and rng.random() < 0.5:
            pool, cue = self.about, opener.thing
        template = pool[crc32(cue.encode()) % len(pool)] if rng.random() < 0.5 else rng.choice(pool)
        return expand(template + self.ending, rng, self.lexicon, {"T": opener.thing or "thing"})

    def open(self, rng: Random) -> Opener:
        """An opener that only this voice has."""
        text = expand(rng.choice(self.openers), rng, self.lexicon, {"number": str(rng.randint(2, 990))})
        return Opener(self.openers_act, text, _thing_in(text))


NEUTRAL = Voice(smalltalk.REPLIES, (), (), "odd", smalltalk.LEXICON)
VOICES = {
    "zizou": Voice(zizou.REPLIES, zizou.ANY, zizou.OPENERS, "football", smalltalk.LEXICON | zizou.LEXICON, " {ending}"),
    "greybeards": Voice(
        greybeards.REPLIES, greybeards.ANY, greybeards.OPENERS, "computers", smalltalk.LEXICON | greybeards.LEXICON, " {ending}"
    ),
}


def small_talk(rng: Random) -> Opener:
    """An opener that anybody may say."""
    act = rng.choice(ACTS)
    kind = rng.choice(smalltalk.THINGS)
    thing = rng.choice(smalltalk.LEXICON[kind].split("|"))
    text = expand(rng.choice(smalltalk.OPENERS[act]), rng, smalltalk.LEXICON, {"T": thing})
    return Opener(act, text, _thing_in(text))


def _thing_in(text: str) -> str | None:
    return next((word for word in _WORD.findall(text) if word in _THINGS), None)
