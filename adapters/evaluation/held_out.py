"""How likely a base and an adapter find the held-out bangers, and other messages in their place: the fit, and the ranking.

The fit is nats per target token, end of turn included, each example counted with its weight: the loss that training lowers. The ranking
asks whether the real banger gets a higher score than other messages of the same time. The score of a text is

    (log p(text | context) - log p_base(text | no context)) / tokens

Without the second term commonplaces win everywhere ("lol"); it is the base's for both models, so that they differ in the first alone
(Holtzman et al. 2021, "Surface form competition"). Per token, because a sum would favour long texts where the model gains on every token,
and short ones where it loses. Knows nothing of files.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from adapters.conversation import Turn
from adapters.curation.dataset import Example
from adapters.evaluation.estimate import Estimate, pair
from adapters.evaluation.models import LoadedModel

METHOD = (
    "Score of a message: its log-likelihood after the context, less the base's without a context, per token; rank 1 is the real message, "
    "a tie counts as beaten."
)


@dataclass(frozen=True)
class Scored:
    """One held-out example. `base` and `adapter`: log-likelihoods in nats of the target and of each of the others, of `tokens` each;
    `alone`: the base's without a context."""

    conversation: str
    weight: float
    tokens: tuple[int, ...]
    base: tuple[float, ...]
    adapter: tuple[float, ...]
    alone: tuple[float, ...]

    @property
    def ranks(self) -> tuple[int, int]:
        """Of the target among all candidates, from 1: the base's, the adapter's."""
        return self._rank(self.base), self._rank(self.adapter)

    def _rank(self, likelihoods: tuple[float, ...]) -> int:
        target, *others = ((found - alone) / tokens for found, alone, tokens in zip(likelihoods, self.alone, self.tokens, strict=True))
        return 1 + sum(other >= target for other in others)


def score(
    model: LoadedModel, examples: Sequence[Example], *, others: int, limit: int, progress: Callable[[int, int], None]
) -> tuple[Scored, ...]:
    """The examples that fit into `limit` tokens, each with at most `others` others; what is the target once more, or too long, is none."""
    empty = model.renderer.prompt((Turn("", ""),))
    found = []
    for done, example in enumerate(examples, start=1):
        lesson = model.renderer.lesson(example.turns, example.target, example.weight, limit=limit)
        if lesson is not None:
            prompt = lesson.ids[: lesson.prompt]
            texts = [list(lesson.ids[lesson.prompt :])]
            for other in example.others:
                ids = model.renderer.reply(other)
                if len(texts) <= others and ids not in texts and len(prompt) + len(ids) <= limit:
                    texts.append(ids)
            found.append(_score(model, example, prompt, empty, texts))
        progress(done, len(examples))
    return tuple(found)


def _score(model: LoadedModel, example: Example, prompt: Sequence[int], empty: Sequence[int], texts: list[list[int]]) -> Scored:
    adapter = model.log_likelihoods(prompt, texts)
    with model.without_adapter():
        base, alone = model.log_likelihoods(prompt, texts), model.log_likelihoods(empty, texts)
    lengths = tuple(map(len, texts))
    return Scored(
        # Where the dataset does not say which conversation it was, every example is one.
        example.conversation or str(example.message_id),
        example.weight,
        lengths,
        tuple(base),
        tuple(adapter),
        tuple(alone),
    )


def fit(scored: Sequence[Scored]) -> dict[str, Any]:
    """For the card: the mean negative log-likelihood of the targets."""
    tokens = [each.tokens[0] for each in scored]
    found = pair(
        [-each.base[0] / each.tokens[0] for each in scored],
        [-each.adapter[0] / each.tokens[0] for each in scored],
        weights=[each.weight * count for each, count in zip(scored, tokens, strict=True)],
        clusters=[each.conversation for each in scored],
    )
    return {
        "unit": "nats per token",
        "method": "Mean over the target tokens of held-out examples, end of turn included, each example counted with its weight; "
        "intervals by a bootstrap over conversations.",
        "held_out_nll": found.to_json(),
    }


def ranking(scored: Sequence[Scored], others: int) -> dict[str, Any]:
    """For the card. Examples without any other to beat are left out; those with fewer than `others` are easier, for both models."""
    ranked = [each for each in scored if len(each.tokens) > 1]
    clusters = [each.conversation for each in ranked]
    ranks = [each.ranks for each in ranked]
    within = (0.0, 1.0)
    accuracy = pair([float(base == 1) for base, _ in ranks], [float(own == 1) for _, own in ranks], clusters=clusters, within=within)
    mrr = pair([1 / base for base, _ in ranks], [1 / own for _, own in ranks], clusters=clusters, within=within)
    return {
        "k": others,
        "examples": len(ranked),
        "method": METHOD,
        "chance": sum(1 / len(each.tokens) for each in ranked) / max(1, len(ranked)),
        "fewer_others": sum(len(each.tokens) <= others for each in ranked),
        "accuracy": accuracy.to_json(),
        "mrr": mrr.to_json(),
        "ranks": {
            "base": _histogram([base for base, _ in ranks], others),
            "adapter": _histogram([own for _, own in ranks], others),
        },
    }


def _histogram(ranks: Sequence[int], others: int) -> list[int]:
    return [ranks.count(rank) for rank in range(1, others + 2)]


__all__ = ["METHOD", "Estimate", "Scored", "fit", "ranking", "score"]
