"""A base of a few thousand parameters that talks of things at random, and a community that has one thing to say about each.

An adapter can learn which sentence belongs to which thing; one that is trained on shuffled sentences cannot.
"""

from dataclasses import replace
from pathlib import Path
from random import Random

from adapters.conversation import Turn, to_chat
from adapters.curation.dataset import Dataset, Example
from adapters.demo.pretraining.base import BaseRecipe, train_base
from adapters.demo.pretraining.optimize import Schedule
from adapters.training.recipe import TrainingRecipe
from adapters.training.train import train

SENTENCES = {
    "cat": "it sleeps on the warm roof",
    "dog": "nobody runs faster in town",
    "soup": "needs more salt every time",
    "bike": "the chain came off again",
    "train": "two hours late as usual",
    "film": "my sister cried at the end",
    "rain": "bring a coat and some hope",
    "exam": "we all failed it together",
}
ASKED = ("what about the {}?", "tell me of the {}", "any news of the {}?")
PEOPLE = ("ann", "bob", "cid")


def silent(done: int, total: int) -> None:
    assert 0 < done <= total


def make_base(out: Path) -> Path:
    """It knows the words and the shape of a chat, and nothing of what belongs together."""
    rng = Random(1)
    chats = []
    for _ in range(600):
        turn = Turn(rng.choice((*PEOPLE, "")), rng.choice(ASKED).format(rng.choice(list(SENTENCES))))
        chats.append([*to_chat([turn]), {"role": "assistant", "content": rng.choice(list(SENTENCES.values()))}])
    train_base(
        chats, out, BaseRecipe(Schedule(2, 1024, 4e-3, muon_rate=0.02), vocabulary=420, hidden=64, layers=2, intermediate=128), silent
    )
    return out


def make_dataset() -> Dataset:
    """Three ways to ask about each thing, by three people; the last way is held out, in its own conversations."""
    examples = [
        Example(
            turns=(Turn(person, asked.format(thing)),),
            target=sentence,
            weight=1.0,
            message_id=number,
            author="dora",
            conversation=f"talk {number}",
            others=tuple(other for other in SENTENCES.values() if other != sentence),
        )
        for number, (asked, person, thing, sentence) in enumerate(
            (asked, person, thing, sentence) for asked in ASKED for person in PEOPLE for thing, sentence in SENTENCES.items()
        )
    ]
    split = len(examples) * 2 // 3
    return Dataset(tuple(replace(each, others=()) for each in examples[:split]), tuple(examples[split:]), {"community": "tiny"})


def shuffled(dataset: Dataset) -> Dataset:
    """The same sentences, each after another's question."""
    targets = [example.target for example in dataset.train]
    Random(2).shuffle(targets)
    return replace(dataset, train=tuple(replace(example, target=target) for example, target in zip(dataset.train, targets, strict=True)))


def make_adapter(base: Path, dataset: Dataset, out: Path, *, epochs: int = 20) -> Path:
    """Trained on the whole of what is to be learnt, whatever the held-out examples say."""
    recipe = TrainingRecipe(
        rank=8,
        alpha=16,
        dropout=0.0,
        learning_rate=1e-2,
        epochs=epochs,
        tokens=192,
        context_tokens=256,
        checkpointing=False,
        patience=0,
        canaries=0,
        bare_too=True,
    )
    run = out.with_name(f"{out.name}-run")
    return train(base, replace(dataset, held_out=()), run, recipe, lambda at: None).adapter.rename(out)
