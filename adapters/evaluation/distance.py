"""How far an adapter is from its base where the community is not concerned: exact KL(base || adapter), token by token.

The base answers neutral prompts, drawn from its own distribution at temperature 1, so that the mean over the tokens estimates how far the
two are apart as speakers. At every token of such a reply, and at its end, both models' whole distributions over the vocabulary are
compared, in float64. Nothing is cut off and nothing is sampled twice.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from adapters.evaluation.estimate import estimate
from adapters.evaluation.models import LoadedModel, Sampling
from adapters.evaluation.prompts import asked

EDGES = (0.0, 1e-4, 3e-4, 1e-3, 3e-3, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 1000.0)


@dataclass(frozen=True)
class Token:
    """At one token of the reply to prompt number `prompt`: the divergence in nats, and whether both expected the same token most."""

    prompt: int
    kl: float
    same_top: bool


def divergence(base: torch.Tensor, adapter: torch.Tensor) -> torch.Tensor:
    """KL(base || adapter) in nats, of log-probabilities [tokens, vocabulary] → [tokens]; never below zero."""
    # Where the base gives a probability of 0, the product is 0 and not NaN.
    return torch.where(base > -torch.inf, base.exp() * (base - adapter), 0.0).sum(-1).clamp(min=0.0)


def measure(
    model: LoadedModel, prompts: Sequence[str], *, tokens: int, seed: int, progress: Callable[[int, int], None]
) -> tuple[Token, ...]:
    """Every token of the base's replies of at most `tokens` tokens."""
    rendered = [model.renderer.prompt(asked(prompt)) for prompt in prompts]
    with model.without_adapter():
        replies = model.generate(rendered, Sampling(max_tokens=tokens, temperature=1.0, top_p=1.0, seed=seed))
    found: list[Token] = []
    for place, (prompt, reply) in enumerate(zip(rendered, replies, strict=True)):
        said = [*reply, model.renderer.end]
        adapter = model.log_probabilities(prompt, said)
        with model.without_adapter():
            base = model.log_probabilities(prompt, said)
        same = base.argmax(-1) == adapter.argmax(-1)
        found += [Token(place, float(kl), bool(top)) for kl, top in zip(divergence(base, adapter), same, strict=True)]
        progress(place + 1, len(prompts))
    return tuple(found)


def distance(tokens: Sequence[Token], *, prompts: int, precision: str) -> dict[str, Any]:
    """For the card. `precision`: what the base is held in."""
    kl = np.asarray([each.kl for each in tokens])
    clusters = [each.prompt for each in tokens]
    return {
        "method": (
            f"KL(base || adapter) over the whole vocabulary, in nats per token, at every token and the end of the base's own replies "
            f"(temperature 1) to {prompts} neutral prompts of this repository; base and adapter on the same weights, {precision}; "
            "intervals by a bootstrap over prompts."
        ),
        "prompts": prompts,
        "tokens": len(tokens),
        "kl": {
            "mean": estimate(kl.tolist(), clusters=clusters).to_json(),
            "median": float(np.median(kl)),
            "p99": float(np.quantile(kl, 0.99)),
        },
        "same_top": estimate([float(each.same_top) for each in tokens], clusters=clusters, within=(0.0, 1.0)).to_json(),
        "histogram": {"edges": list(EDGES), "counts": np.histogram(np.minimum(kl, EDGES[-1]), EDGES)[0].tolist()},
        "served": None,
    }
