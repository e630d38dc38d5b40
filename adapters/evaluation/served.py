"""How far an adapter is from its base where both are served: top-k KL over HTTP, and what serving adds to the base itself.

The distance in a report card is exact and computed in this process. The engine computes with other kernels and on 4-bit weights; this
asks it, over the same wire as everybody, for the k likeliest tokens at every position of the same texts. Knows nothing of cards.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from adapters.evaluation.errors import NotServed
from adapters.evaluation.estimate import Estimate, estimate
from adapters.evaluation.models import LoadedModel, Sampling
from adapters.evaluation.prompts import asked
from adapters.evaluation.server import MAX_LOGPROBS, RunningServer, Scored, TopTokens
from adapters.evaluation.top_k import likeliest, top_k_kl

Progress = Callable[[str, int, int], None]
Reference = Callable[[Sequence[int]], Sequence[TopTokens]]
"""A text's token ids → what a base in this process expected at each token but the first."""

METHOD = (
    "KL(base ‖ adapter) in nats per token, of what the running server says of both: over the tokens among the {k} likeliest of either"
    " that both name, and one part for all others. A lower bound of the whole KL (data-processing inequality). Interval: bootstrap over"
    " texts."
)
SHIFT_METHOD = (
    "The served base against {reference} in this process, on the same texts: KL(process ‖ served) as above, and how much the"
    " log-probability of the text's own token differs."
)


def served_distance(
    server: RunningServer,
    texts: Sequence[Sequence[int]],
    *,
    adapter: str,
    base: str = "base",
    k: int = MAX_LOGPROBS,
    starts: Sequence[int] | None = None,
    reference: Reference | None = None,
    reference_name: str = "the base",
    progress: Progress,
) -> dict[str, Any]:
    """The part `distance.served` of a report card. Raises NotServed.

    `texts`: token ids, at least two each. `starts`: the first position of each text that counts (1: all that can be expected).
    `adapter` and `base`: model strings. `reference`: the base in this process, to see what serving alone changes.
    """
    starts = [1] * len(texts) if starts is None else list(starts)
    if not texts or any(len(text) <= start for text, start in zip(texts, starts, strict=True)):
        raise NotServed("There are no texts to compare the served models on: each needs a token that something stands before.")
    names = [server.version(model) for model in (base, adapter)]
    seen: list[list[Scored]] = []
    for done, name in enumerate(names):
        progress(f"Asking the server for {name}", done, len(names))
        seen.append(server.score(name, texts, k))
    progress("Asking the server", len(names), len(names))
    from_base, from_adapter = ([one.positions[start - 1 :] for one, start in zip(scored, starts, strict=True)] for scored in seen)
    counts = [len(positions) for positions in from_base]
    return {
        "k": k,
        "method": METHOD.format(k=k),
        "models": {"base": names[0], "adapter": names[1]},
        "prompts": len(texts),
        "tokens": sum(counts),
        "kl_mean": _mean(_pairwise(from_base, from_adapter, top_k_kl), counts).to_json(),
        "same_top": _mean(_pairwise(from_base, from_adapter, _same_top), counts, share=True).to_json(),
        "base_shift": None if reference is None else _shift(seen[0], starts, reference, reference_name),
    }


def neutral_texts(model: LoadedModel, prompts: Sequence[str], *, tokens: int, seed: int) -> tuple[list[list[int]], list[int]]:
    """The texts of the exact distance: the base's own replies to `prompts`, and where in each text they begin."""
    rendered = [model.renderer.prompt(asked(prompt)) for prompt in prompts]
    with model.without_adapter():
        replies = model.generate(rendered, Sampling(max_tokens=tokens, temperature=1.0, top_p=1.0, seed=seed))
    texts = [[*prompt, *reply, model.renderer.end] for prompt, reply in zip(rendered, replies, strict=True)]
    return texts, [len(prompt) for prompt in rendered]


def reference_of(model: LoadedModel, k: int = MAX_LOGPROBS) -> Reference:
    """The base of `model`, as a server would tell of it."""

    def expected(text: Sequence[int]) -> list[TopTokens]:
        with model.without_adapter():
            rows = model.log_probabilities(text[:1], text[1:])
        values, tokens = rows.topk(min(k, rows.shape[-1]), dim=-1)
        own = rows.gather(-1, tokens.new_tensor(text[1:])[:, None])[:, 0].tolist()
        return [
            {**dict(zip(likely, row, strict=True)), token: value}
            for likely, row, token, value in zip(tokens.tolist(), values.tolist(), text[1:], own, strict=True)
        ]

    return expected


def _shift(served: Sequence[Scored], starts: Sequence[int], reference: Reference, name: str) -> dict[str, Any]:
    """What serving does to the base alone: quantization, and the engine's own arithmetic."""
    here = [reference(one.tokens)[start - 1 :] for one, start in zip(served, starts, strict=True)]
    there = [one.positions[start - 1 :] for one, start in zip(served, starts, strict=True)]
    counts = [len(positions) for positions in there]
    own = [token for one, start in zip(served, starts, strict=True) for token in one.tokens[start:]]
    flat = [(mine, theirs) for one, other in zip(here, there, strict=True) for mine, theirs in zip(one, other, strict=True)]
    changes = [theirs[token] - mine[token] for token, (mine, theirs) in zip(own, flat, strict=True)]
    return {
        "method": SHIFT_METHOD.format(reference=name),
        "kl_mean": _mean(_pairwise(here, there, top_k_kl), counts).to_json(),
        "same_top": _mean(_pairwise(here, there, _same_top), counts, share=True).to_json(),
        "log_probability": {
            "mean_change": _mean(changes, counts).to_json(),
            "mean_size_of_change": _mean(list(map(abs, changes)), counts).to_json(),
        },
    }


def _pairwise(
    first: Sequence[Sequence[TopTokens]],
    second: Sequence[Sequence[TopTokens]],
    compare: Callable[[Mapping[int, float], Mapping[int, float]], float],
) -> list[float]:
    return [compare(*each) for one, other in zip(first, second, strict=True) for each in zip(one, other, strict=True)]


def _same_top(first: Mapping[int, float], second: Mapping[int, float]) -> float:
    return float(likeliest(first) == likeliest(second))


def _mean(values: Sequence[float], counts: Sequence[int], *, share: bool = False) -> Estimate:
    """Over all tokens; those of one text are drawn together."""
    clusters = [place for place, count in enumerate(counts) for _ in range(count)]
    return estimate(values, clusters=clusters, within=(0.0, 1.0) if share else None)
