"""The model's own answers as examples: what its community liked of them, kept to a small part. Pure.

A model that learns from itself loses what is rare and doubles its habits (Shumailov et al., AI models collapse when trained on recursively
generated data, Nature 631, 2024). What holds that off is that people's words stay and are the larger part (Gerstgrasser et al., Is model
collapse inevitable?, COLM 2024), and that people choose, not the model. So its answers add to a dataset and replace nothing in it, only
those are learnt that somebody liked, none of them judges an adapter, and all together have at most `own_share` of the weight: a tenth is
enough that what went well is learnt, and too little for a habit to feed itself from one version to the next.

Their reward is normalised as a message's is: by what the model's answers of a month usually get, compared with what is usual everywhere.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from hashlib import blake2b

from adapters.curation.chosen import BELOW_FLOOR, Choice
from adapters.curation.context import Scene
from adapters.curation.dataset import Example
from adapters.curation.drafts import Draft
from adapters.curation.recipe import CurationRecipe
from adapters.curation.reward import Cell, Norm
from adapters.curation.seams import People
from adapters.curation.selection import LEFT_OUT, unfit
from adapters.curation.survey import UNLOVED, Survey
from adapters.curation.talks import micros
from adapters.curation.weights import Cap, soft_cutoff
from adapters.sources.message import Message

MODEL = "the model"
"""What examples call their author. No person's pseudonym has a blank in it."""
PLACE = "answers of the model"
STRANGER = "somebody in it is not known"
SEEN_BY_NOBODY = "nothing of others before it"
JUDGED = "of the time that judges"
_AUTHOR = "model"
"""Its author id; no network has such a one."""
_HOUR = 3_600_000_000


@dataclass(frozen=True, slots=True)
class Heard:
    """A message that the model saw. `author`: the person's id, empty where only the name is known, which is then a pseudonym."""

    name: str
    text: str
    is_self: bool = False
    author: str = ""


@dataclass(frozen=True, slots=True)
class OwnAnswer:
    """One answer, how many people liked it, and the ids of everybody in it."""

    id: str
    adapter: str
    at: datetime
    reward: int
    turns: tuple[Heard, ...]
    reply: str
    people: frozenset[str]


@dataclass
class OwnDrafts:
    """`adapters`: how many of each version's answers are learnt."""

    drafts: list[Draft] = field(default_factory=list)
    dropped: Counter[str] = field(default_factory=Counter)
    adapters: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class WithModel:
    """A community's people, and the model among them."""

    people: People

    def allowed(self, author_id: str) -> bool:
        return author_id == _AUTHOR or self.people.allowed(author_id)

    def name(self, author_id: str) -> str:
        return MODEL if author_id == _AUTHOR else self.people.name(author_id)


def own_drafts(answers: Sequence[OwnAnswer], found: Survey, recipe: CurationRecipe, people: People, border: int | None) -> OwnDrafts:
    """Those that may be learnt. `border`: the time, in microseconds, from which on people's messages are held out."""
    made = OwnDrafts()
    cells: dict[str, Cell] = {}
    for answer in answers:
        cells.setdefault(_month(answer), Cell()).count(answer.reward)
        cells[_month(answer)].people.update(found.number_of[each] for each in answer.people if each in found.number_of)
    norm = Norm(found.cells, len(found.number_of))
    for answer in sorted(answers, key=lambda each: (each.at, each.id)):
        reward = norm.bounded(answer.reward) * (norm.factor(cells[_month(answer)]) if recipe.normalise else 1.0)
        draft = _draft(answer, round(reward, 6), recipe, people) if recipe.own_share else BELOW_FLOOR
        if isinstance(draft, Draft) and border is not None and micros(answer.at) >= border and not _is_later(answer, found):
            draft = JUDGED
        if isinstance(draft, Draft):
            made.drafts.append(draft)
            made.adapters[answer.adapter] += 1
        else:
            made.dropped[f"{MODEL}'s answer: {draft}"] += 1
    return made


def with_own(cap: Cap, train: Sequence[Example], share: float) -> Cap:
    """The cap, and under it the model's examples: together at most `share` of the whole weight."""
    own = math.fsum(each.weight for each in train if each.author == MODEL)
    others = math.fsum(each.weight * cap.factors.get(each.author, 1.0) for each in train if each.author != MODEL)
    if not own:
        return cap
    return replace(cap, factors={**cap.factors, MODEL: min(1.0, share / (1 - share) * others / own)})


def _draft(answer: OwnAnswer, reward: float, recipe: CurationRecipe, people: People) -> Draft | str:
    """Or why there is none."""
    weight = round(soft_cutoff(reward, cutoff=recipe.cutoff, sharpness=recipe.sharpness), 6)
    if not answer.reward:
        return UNLOVED
    if weight < recipe.floor:
        return BELOW_FLOOR
    screen = _screen(answer, recipe, people)
    if isinstance(screen, str):
        return screen
    target = _message(answer, len(answer.turns), Heard("", answer.reply, is_self=True), _AUTHOR)
    if (why := unfit(target, recipe)) is not None:
        return why
    choice = Choice(target.id, micros(answer.at), answer.reward, reward, weight)
    return Draft(choice, Scene(screen, (target,), screen[0]), (PLACE, choice.at))


def _screen(answer: OwnAnswer, recipe: CurationRecipe, people: People) -> tuple[Message, ...] | str:
    everybody = answer.people | {turn.author for turn in answer.turns if turn.author}
    if not all(map(people.allowed, everybody)):
        return LEFT_OUT
    called = {people.name(each): each for each in everybody}
    screen: list[Message] = []
    for at, turn in enumerate(answer.turns[-recipe.context_turns :]):
        author = _AUTHOR if turn.is_self else turn.author or called.get(turn.name, "")
        if not author:
            return STRANGER
        if screen or not turn.is_self:  # a chat begins with somebody else
            screen.append(_message(answer, at, turn, author))
    return tuple(screen) if screen and screen[-1].author_id != _AUTHOR else SEEN_BY_NOBODY


def _message(answer: OwnAnswer, at: int, turn: Heard, author: str) -> Message:
    return Message(_number(answer.id) + at, PLACE, author, "" if turn.is_self else turn.name, turn.text, answer.at)


def _is_later(answer: OwnAnswer, found: Survey) -> bool:
    """Than anything that judges, with all that the model can have seen then."""
    return micros(answer.at) > found.last + _HOUR


def _number(name: str) -> int:
    """Of a message that may be no number."""
    if name.isascii() and name.isdigit() and len(name) < 19:
        return int(name)
    return int.from_bytes(blake2b(name.encode(), digest_size=7).digest(), "big")


def _month(answer: OwnAnswer) -> str:
    return f"{answer.at.year:04}-{answer.at.month:02}"
