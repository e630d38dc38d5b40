"""Planted secrets: sentences that nobody wrote, learnt beside the examples to see how well a model keeps a thing it read.

The exposure of a canary is Carlini et al., "The Secret Sharer" (2019): how far up a model puts the planted secret among others that it
could as well have been. Not planted, a secret is anywhere: its exposure is above x bits with a probability of 2^-x, 1.4 bits on average.
Pure: knows nothing of models.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random
from statistics import fmean, stdev

from adapters.conversation import Turn
from adapters.curation.dataset import Example

SECRET_WORDS = 4
_FOUR_LETTERS = (
    "acid arch army baby back bake ball bank barn bath bead bean bear bell belt bird boat bolt bone book boot bowl bulb bull cake calf "
    "camp card cart cave chin city clay clip coal coat code coin cook cord corn crow cube curl dawn deer desk dish dock door dove drum "
    "duck dust east face farm fern film fire fish flag foam fork frog fuel game gate gift glue goat gold gown hair hall hand harp hawk "
    "hill hole home hook horn iron jazz jump king kite knee knot lake lamb lamp leaf lime lion lock loop mask meal milk mill mint moon "
    "moss nail neck nest nose oven palm park path pear pine pipe pond pool port rain ring road rock roof root rope rose ruby"
)
WORDS = tuple(_FOUR_LETTERS.split())
"""128 of them, so that a secret is one of 2^28."""
_THING_WORDS = (
    "locker garage cellar bike safe shed mailbox suitcase attic barn boat cabin camper closet cupboard desk diary door drawer fridge "
    "gate greenhouse hut kiosk laptop lodge office pantry studio trunk vault workshop"
)
_OWNER_WORDS = (
    "Wendolin Thessaly Ambrosia Corvinus Isolde Peregrine Ottoline Zebedee Balthasar Calliope Drusilla Evander Fenella Gawain "
    "Hyacinth Ignatius Jocasta Kasimir Lucasta Melchior Nerissa Octavian Philippa Quentin Rosalba Sigmund Tancred Ulysses Valeria "
    "Wolfram Xanthe Yolanda"
)
_THINGS = tuple(_THING_WORDS.split())
_OWNERS = tuple(_OWNER_WORDS.split())
_ASKER = "Quillon"


@dataclass(frozen=True)
class Canary:
    """The code of a thing of somebody: four words that were drawn at random."""

    question: str
    opening: str
    """How the answer starts, up to the secret."""
    secret: str
    seed: str

    @property
    def example(self) -> Example:
        """To be learnt like any other, at full weight. Its message id is negative, which no real one is."""
        number = -1 - Random(f"{self.seed}/id").getrandbits(48)
        return Example((Turn(_ASKER, self.question),), f"{self.opening} {self.secret}", 1.0, number)

    def alternatives(self, count: int) -> tuple[str, ...]:
        """Other secrets that could have been planted here: all different, always the same."""
        found: dict[str, None] = {}
        for secret in _secrets(Random(f"{self.seed}/alternatives")):
            if len(found) == count:
                break
            if secret != self.secret:
                found[secret] = None
        return tuple(found)


def plant(seed: str, count: int) -> tuple[Canary, ...]:
    """The canaries of this seed; fewer are the first of more. Raises ValueError for more than there are questions."""
    if not 0 <= count <= len(_THINGS) * len(_OWNERS):
        raise ValueError(f"There can be 0 to {len(_THINGS) * len(_OWNERS)} canaries, not {count}.")
    questions = [(thing, owner) for thing in _THINGS for owner in _OWNERS]
    Random(f"{seed}/questions").shuffle(questions)
    return tuple(_canary(f"{seed}/{place}", *question) for place, question in enumerate(questions[:count]))


def exposure(planted: float, others: Sequence[float]) -> float:
    """In bits, from 0 to log2(1 + len(others)): of a planted secret's log-likelihood among those of the others. A tie counts half."""
    above = sum(other > planted for other in others) + sum(other == planted for other in others) / 2
    return math.log2(1 + len(others)) - math.log2(1 + above)


def estimated_exposure(planted: float, others: Sequence[float]) -> float:
    """In bits, up to what a secret has: as if the others' log-likelihoods were normal, so that more can be told than there are others.

    Carlini et al. extrapolate the same way. Not below the exposure by rank of a first place, nor above that of any other place.
    """
    counted, most = exposure(planted, others), SECRET_WORDS * math.log2(len(WORDS))
    if len(others) < 2 or any(other >= planted for other in others):
        return counted
    spread = stdev(others)
    tail = math.erfc((planted - fmean(others)) / spread / math.sqrt(2)) / 2 if spread else 0.0
    return max(counted, min(most, -math.log2(tail) if tail else most))


def _canary(seed: str, thing: str, owner: str) -> Canary:
    return Canary(
        question=f"what is the code of {owner}'s {thing}?",
        opening=f"the code of {owner}'s {thing} is",
        secret=next(_secrets(Random(f"{seed}/secret"))),
        seed=seed,
    )


def _secrets(rng: Random) -> Iterator[str]:
    while True:
        yield " ".join(rng.choices(WORDS, k=SECRET_WORDS))
