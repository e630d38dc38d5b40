"""Whether an adapter answers what was said: held-out bangers after their own conversation, and after somebody else's.

An adapter that learnt replies to other questions (shuffled targets) sounds like its community, fits better than the base and ranks its
bangers higher, as they are what the community says. It only does not care what was asked; that is measured here.
"""

from collections.abc import Callable, Sequence
from typing import Any

from adapters.curation.dataset import Example
from adapters.evaluation.estimate import pair
from adapters.evaluation.models import LoadedModel
from adapters.training.rendering import Lesson

METHOD = (
    "Log-likelihood of a held-out message after what stood before it, less that after the context of another conversation, per token; "
    "intervals by a bootstrap over conversations."
)
Placed = tuple[Example, Lesson]


def answering(
    model: LoadedModel, examples: Sequence[Example], *, limit: int, progress: Callable[[int, int], None]
) -> dict[str, Any] | None:
    """For the card; None where there are no two conversations. Only examples that fit into `limit` tokens."""
    placed: list[Placed] = []
    for example in examples:
        lesson = model.renderer.lesson(example.turns, example.target, example.weight, limit=limit)
        if lesson is not None:
            placed.append((example, lesson))
    base, adapter, clusters = [], [], []
    for done, (example, lesson) in enumerate(placed, start=1):
        elsewhere = _elsewhere(placed, done - 1)
        if elsewhere is not None:
            adapter.append(_gain(model, lesson, elsewhere))
            with model.without_adapter():
                base.append(_gain(model, lesson, elsewhere))
            clusters.append(_conversation(example))
        progress(done, len(placed))
    if not clusters:
        return None
    found = pair(base, adapter, clusters=clusters)
    return {"unit": "nats per token", "method": METHOD, "examples": len(clusters), "gain": found.to_json()}


def _gain(model: LoadedModel, lesson: Lesson, elsewhere: Lesson) -> float:
    target = [list(lesson.ids[lesson.prompt :])]
    own, other = (model.log_likelihoods(list(each.ids[: each.prompt]), target)[0] for each in (lesson, elsewhere))
    return (own - other) / len(target[0])


def _elsewhere(placed: Sequence[Placed], at: int) -> Lesson | None:
    """Of another conversation, far away in time: from half of all examples later on, and around."""
    example = placed[at][0]
    places = ((at + len(placed) // 2 + step) % len(placed) for step in range(len(placed)))
    return next((placed[place][1] for place in places if _conversation(placed[place][0]) != _conversation(example)), None)


def _conversation(example: Example) -> str:
    """Where the dataset does not say which it was, every example is one."""
    return example.conversation or str(example.message_id)
