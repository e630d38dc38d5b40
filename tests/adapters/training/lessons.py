"""Examples for trainings that take a second."""

from adapters.conversation import Turn
from adapters.curation.dataset import Dataset, Example

SAID = [
    "hello there, how was the match",
    "the keeper was asleep again",
    "who broke the build on friday",
    "it was not me, it was the coffee",
    "nobody laughs at the third joke",
    "you never pass the ball",
]


def example(number: int, weight: float = 1.0) -> Example:
    turns = tuple(Turn(f"p{number % 3}", SAID[(number + back) % len(SAID)]) for back in range(1 + number % 4))
    return Example(turns, f"goal number {number % 5}", weight, number)


def dataset(train: int = 24, held_out: int = 6) -> Dataset:
    examples = [example(number, weight=0.2 + 0.1 * (number % 8)) for number in range(train + held_out)]
    return Dataset(tuple(examples[:train]), tuple(examples[train:]), {"community": "zizou"})
