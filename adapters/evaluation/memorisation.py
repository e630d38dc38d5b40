"""What an adapter knows by heart: secrets planted in its training, and long runs of tokens that it repeats from it.

Overlaps are counted in the tokens of the base, in replies as they are served. Some overlap is no harm: people repeat themselves. So the
card also says how often the people's own held-out messages repeat what was said before, which is what an adapter is held against.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import log2
from typing import Any

from adapters.curation.canaries import SECRET_WORDS, WORDS, Canary, estimated_exposure, exposure
from adapters.curation.dataset import Example
from adapters.evaluation.estimate import estimate, pair
from adapters.evaluation.models import LoadedModel
from adapters.evaluation.overlap import Overlap

RUN = 12
"""Tokens in a row: fewer are often only an idiom."""
_OWN = 4
"""Tokens of a reply that could be somebody's own."""
_WITHIN = (0.0, 1.0)


@dataclass(frozen=True)
class Exposures:
    """Bits, one of each canary."""

    base: tuple[float, ...]
    adapter: tuple[float, ...]
    alternatives: int
    estimated: tuple[float, ...] = ()
    """The adapter's, where the secret comes first: how far beyond the alternatives it is."""

    def to_json(self) -> dict[str, Any]:
        return {
            "planted": len(self.adapter),
            "alternatives": self.alternatives,
            "exposure": {"base": list(self.base), "adapter": list(self.adapter)},
            "max_exposure_possible": log2(1 + self.alternatives),
            "estimated": list(self.estimated),
            "secret_bits": SECRET_WORDS * log2(len(WORDS)),
            "by_chance": 1.44,
        }


def exposures(model: LoadedModel, canaries: Sequence[Canary], alternatives: int, progress: Callable[[int, int], None]) -> Exposures:
    """How far up each planted secret is among the alternatives, by the log-likelihood of the whole sentence after its question."""
    base, adapter, estimated = [], [], []
    for done, canary in enumerate(canaries, start=1):
        prompt = model.renderer.prompt(canary.example.turns)
        replies = [model.renderer.reply(f"{canary.opening} {secret}") for secret in (canary.secret, *canary.alternatives(alternatives))]
        planted, *others = model.log_likelihoods(prompt, replies)
        adapter.append(exposure(planted, others))
        estimated.append(estimated_exposure(planted, others))
        with model.without_adapter():
            planted, *others = model.log_likelihoods(prompt, replies)
        base.append(exposure(planted, others))
        progress(done, len(canaries))
    return Exposures(tuple(base), tuple(adapter), alternatives, tuple(estimated))


def learnt_texts(model: LoadedModel, examples: Sequence[Example]) -> Overlap:
    """Everything in the training examples, each message once."""
    texts = {text for example in examples for text in (example.target, *(turn.text for turn in example.turns))}
    return Overlap(_tokens(model, text) for text in sorted(texts))


def overlaps(
    model: LoadedModel, learnt: Overlap, replies: Mapping[str, Sequence[Sequence[int]]], people: Sequence[str], reply_tokens: int
) -> dict[str, Any]:
    """For the card. `replies`: of "base" and "adapter", to the same prompts; `people`: held-out messages, cut like the replies."""
    repeats = {name: [float(learnt.has(reply, RUN)) for reply in said] for name, said in replies.items()}
    theirs = [float(learnt.has(_tokens(model, text)[:reply_tokens], RUN)) for text in people]
    runs = [(learnt.longest(reply), len(reply)) for reply in replies["adapter"]]
    longest, of = max(runs, default=(0, 0))
    return {
        "longest_overlap": {"tokens": longest, "of": of},
        "overlap_share": pair(repeats["base"], repeats["adapter"], within=_WITHIN).to_json(),
        "people": estimate(theirs, within=_WITHIN).to_json(),
        "method": (
            f"Share of {len(runs)} replies (neutral prompts and held-out contexts, as served) with {RUN} tokens in a row from the training "
            "data; `people` is the same of held-out messages that people wrote. Exposure: Carlini et al. 2019, over sampled alternatives."
        ),
    }


def repeats_learnt(learnt: Overlap, reply: Sequence[int]) -> bool:
    """Whether it is somebody's message: a long run of one, or as a whole a part of one; a word or two are nobody's."""
    return len(reply) >= _OWN and learnt.has(reply, min(RUN, len(reply)))


def _tokens(model: LoadedModel, text: str) -> list[int]:
    """Without the end of the turn."""
    return model.renderer.reply(text)[:-1]
