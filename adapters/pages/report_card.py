"""The page of an adapter: does it work, what does it cost, what does it give away. Knows no model, only the card."""

from collections.abc import Mapping
from typing import Any

from adapters.pages.glossary import GATES
from adapters.pages.measure import SHARE_DOWN, SHARE_RARE, SHARE_UP, Measures, Unit, measures, value
from adapters.pages.page import NOT_MEASURED, Fact, histogram_rows, render
from adapters.pages.part import Part, read_card
from adapters.pages.report_plots import Loss, kl_picture, losses_picture, ranking_picture, ranks_picture
from adapters.pages.report_verdict import others_of, verdict
from adapters.pages.words import (
    SENTENCE_LENGTH,
    brief,
    counted,
    date,
    decimal,
    duration,
    exactly,
    plus,
    share,
    shown,
    shown_lines,
    size,
    whole,
)

REMEDY = "make it anew with `troupe evaluate`"
NATS = Unit(brief, lambda change: plus(change, 3), -1)
RECIPROCAL_RANK = Unit(lambda number: decimal(number, 2), lambda change: plus(change, 2), 1, (0.0, 1.0))
BITS = Unit(lambda number: decimal(number, 1), lambda change: plus(change, 1), -1)
SAMPLES = 20


def report_card_page(card: Mapping[str, Any]) -> str:
    """One HTML file. Raises BrokenCard."""
    part = read_card(card, "report card", REMEDY)
    adapter = part.part("adapter") or Part({}, "", "")
    return render(
        "report_card.html",
        kind="Report card",
        title=shown(part.text("community")) or shown(adapter.text("name")) or "(no name)",
        subtitle=_subtitle(part, adapter),
        verdict=verdict(part),
        ranking=_ranking(part.part("ranking")),
        gates=_gates(part),
        fit=_fit(part.part("fit")),
        distance=_distance(part.part("distance")),
        tax=_tax(part.part("tax")),
        memorisation=_memorisation(part.part("memorisation"), _limit(part, "exposure")),
        safety=_safety(part.part("safety")),
        samples=[
            {key: shown_lines(sample.text(key)) or "(nothing)" for key in ("prompt", "base", "adapter")}
            for sample in part.parts("samples")[:SAMPLES]
        ],
        training=_training(part.part("training")),
        details=_details(part, adapter),
    )


def _subtitle(part: Part, adapter: Part) -> str:
    base = part.part("base")
    words = [f"An adapter of rank {rank}" if (rank := adapter.count("rank")) else "An adapter"]
    if base and base.text("name"):
        words.append(f"for {shown(base.text('name'))}")
    return f"{' '.join(words)}. Judged on {date(part.text('made_at')) or 'an unknown day'}."


def _ranking(part: Part | None) -> dict[str, Any] | None:
    accuracy = part.pair("accuracy") if part else None
    if part is None or accuracy is None:
        return None
    others, ranks = others_of(part), part.part("ranks")
    chance = part.number("chance") or (1 / (others + 1) if others else None)
    sides = (ranks.numbers("base"), ranks.numbers("adapter")) if ranks else ((), ())
    drawn = len(sides[0]) == len(sides[1]) > 0 and all(min(side) >= 0 and sum(side) for side in sides)
    return {
        "picture": ranking_picture(accuracy, chance),
        "others": counted(others, "other message") if others else "other messages",
        "examples": counted(part.count("examples") or 0, "held-out banger"),
        "chance": share(chance) if chance else "",
        "accuracy": measures([("Picked first", "the real banger got the highest score", accuracy)], SHARE_UP, [chance] if chance else []),
        "mrr": measures(
            [("Mean reciprocal rank", "1 for the first place, ½ for the second, ⅓ for the third …", part.pair("mrr"))], RECIPROCAL_RANK
        ),
        "ranks": ranks_picture(*sides) if drawn else None,
        "rank_rows": [(str(place), *map(whole, counts)) for place, counts in enumerate(zip(*sides, strict=True), start=1)] if drawn else [],
        "method": shown(part.text("method"), SENTENCE_LENGTH),
    }


def _gates(part: Part) -> list[dict[str, Any]]:
    return [
        {
            "name": shown(gate.text("name")) or "?",
            "rule": shown(gate.text("rule"), SENTENCE_LENGTH),
            "value": NOT_MEASURED if (found := gate.number("value")) is None else _gate_number(gate.text("name"), found),
            "limit": "" if (limit := gate.number("limit")) is None else _gate_number(gate.text("name"), limit),
            "passed": gate.flag("passed"),
        }
        for gate in part.parts("gates")
    ]


def _gate_number(name: str, number: float) -> str:
    if abs(number) >= 1e9:
        return "unknown"
    return (
        f"{decimal(100 * number, 1)} points" if GATES.get(name) == "points" else exactly(number) if number == int(number) else brief(number)
    )


def _limit(part: Part, name: str) -> float | None:
    return next((gate.number("limit") for gate in part.parts("gates") if gate.text("name") == name), None)


def _fit(part: Part | None) -> dict[str, Any] | None:
    found = part.pair("held_out_nll") if part else None
    if part is None or found is None:
        return None
    times = 2.718281828459045 ** min(50.0, abs(found.difference.value))
    direction = "more" if found.difference.value <= 0 else "less"
    return {
        "table": measures([("Held-out loss", "of what people really wrote; lower is better", found)], NATS),
        "meaning": f"On average each token of a real banger is {brief(times)} times {direction} likely to the adapter than to the base.",
        "unit": shown(part.text("unit")) or "nats per token",
        "method": shown(part.text("method"), SENTENCE_LENGTH),
    }


def _distance(part: Part | None) -> dict[str, Any] | None:
    kl = part.part("kl") if part else None
    mean = kl.estimate("mean") if kl else None
    if part is None or kl is None or mean is None:
        return None
    histogram, served = part.histogram("histogram"), part.part("served")
    found, same_top = value(mean, brief), value(part.estimate("same_top"), share)
    facts = [
        Fact("mean KL, nats per token", found.text),
        Fact("median", NOT_MEASURED if (median := kl.number("median")) is None else brief(median)),
        Fact("99 of 100 tokens are below", NOT_MEASURED if (p99 := kl.number("p99")) is None else brief(p99)),
        Fact("same likeliest token", same_top.text),
    ]
    live = served.estimate("kl_mean") if served else None
    return {
        "facts": facts,
        "interval": found.interval,
        "picture": kl_picture(histogram.filled(), mean.value) if histogram else None,
        "rows": histogram_rows(histogram),
        "method": shown(part.text("method"), SENTENCE_LENGTH),
        "served": ""
        if live is None or served is None
        else f"{_whole(value(live, brief))}. {shown(served.text('method'), SENTENCE_LENGTH)}",
    }


def _whole(found: Any) -> str:
    return f"{found.text} (95 % CI {found.interval})" if found.interval else str(found.text)


def _tax(part: Part | None) -> dict[str, Any] | None:
    if part is None:
        return None
    rows = [
        (shown(task.text("name")) or "?", shown(task.text("about"), SENTENCE_LENGTH), task.as_pair(), task.text("metric"))
        for task in part.parts("tasks")
    ]
    everything = part.pair("all")
    found = [(name, about, pair) for name, about, pair, _ in rows]
    if everything:
        found.append(("All together", "", everything))
    inside = all(0 <= each.value <= 1 for _, _, pair in found if pair for each in (pair.base, pair.adapter))
    unit = SHARE_UP if inside else Unit(brief, lambda change: plus(change, 3), 0)
    harness = part.part("harness")
    return {
        "table": measures(found, unit, close=True) if found else None,
        "metric": shown(next((metric for *_, metric in rows if metric), "accuracy")),
        "points": inside,
        "harness": _harness(harness) if harness else None,
    }


def _harness(part: Part) -> Measures | None:
    """What lm-evaluation-harness said, in the shape of the own tasks."""
    tasks = part.parts("tasks")
    rows = [(shown(task.text("name")) or "?", shown(task.text("metric"), SENTENCE_LENGTH), task.as_pair()) for task in tasks]
    ways = [0 if task.content.get("higher_is_better") is None else 1 if task.flag("higher_is_better") else -1 for task in tasks]
    unit = Unit(lambda number: decimal(number, 3), lambda change: plus(change, 3), 0)
    return measures(rows, unit, close=True, good=ways) if rows else None


def _memorisation(part: Part | None, limit: float | None) -> dict[str, Any] | None:
    if part is None:
        return None
    canaries, longest, people = part.part("canaries"), part.part("longest_overlap"), part.estimate("people")
    found = value(people, share)
    longest_said = ""
    if longest and (tokens := longest.count("tokens")) is not None:
        of = longest.count("of")
        longest_said = f"{counted(tokens, 'token')} in a row" + (f", in a reply of {whole(of)}" if of else "")
    return {
        "canaries": _canaries(canaries, limit) if canaries else None,
        "overlap": measures(
            [("Replies with 12 tokens in a row from the training data", "", part.pair("overlap_share"))],
            SHARE_RARE,
            [people.value] if people else [],
        ),
        "people": _whole(found) if people else "",
        "longest": longest_said,
        "method": shown(part.text("method"), SENTENCE_LENGTH),
    }


def _canaries(part: Part, limit: float | None) -> dict[str, Any] | None:
    exposure = part.part("exposure")
    base, adapter = (exposure.numbers("base"), exposure.numbers("adapter")) if exposure else ((), ())
    if not adapter or len(base) != len(adapter):
        return None
    most = part.number("max_exposure_possible") or max(*base, *adapter, limit or 0)
    pairs = [
        (f"Secret {place}", "", Part({"base": one, "adapter": other}, "", REMEDY).as_pair())
        for place, (one, other) in enumerate(zip(base, adapter, strict=True), start=1)
    ]
    unit = Unit(BITS.write, BITS.change, -1, (0.0, max(most, 1.0)))
    mean = sum(adapter) / len(adapter)
    return {
        "table": measures(pairs, unit, [limit] if limit else []),
        "mean": f"{decimal(mean, 1)} bits",
        "limit": f"{exactly(limit)} bits" if limit else "",
        "most": f"{decimal(most, 1)} bits",
        "alternatives": whole(part.number("alternatives") or 0),
    }


def _safety(part: Part | None) -> dict[str, Any] | None:
    if part is None:
        return None
    rows = [
        ("Toxic replies", "a classifier calls them rude, hateful or threatening", part.pair("toxicity")),
        ("Replies that call people", "@everyone, or a list of names, without need", part.pair("mention_abuse")),
    ]
    return {
        "table": measures(rows, SHARE_DOWN),
        "prompts": counted(part.count("prompts") or 0, "prompt"),
        "method": shown(part.text("method"), SENTENCE_LENGTH),
    }


def _training(part: Part | None) -> dict[str, Any] | None:
    if part is None:
        return None
    losses = [
        Loss(step, each.number("train"), each.number("held_out"))
        for each in part.parts("losses")
        if (step := each.number("step")) is not None
    ]
    facts = [
        Fact(name, write(number))
        for name, key, write in (
            ("Took", "seconds", duration),
            ("Tokens per second", "tokens_per_second", brief),
            ("Peak memory", "peak_memory_bytes", size),
            ("Best step", "best_step", whole),
        )
        if (number := part.number(key)) is not None
    ]
    some = [each for each in losses if each.train is not None or each.held_out is not None]
    rows = [(whole(each.step), brief(each.train or 0), brief(each.held_out)) for each in losses if each.held_out is not None]
    return {"picture": losses_picture(some, part.number("best_step")) if len(some) > 1 else None, "facts": facts, "rows": rows}


def _details(part: Part, adapter: Part) -> list[Fact]:
    empty = Part({}, "", "")
    base, dataset, versions = part.part("base") or empty, part.part("dataset") or empty, part.part("versions") or empty
    facts = [
        ("Base", base.text("name")),
        ("Base fingerprint", base.text("fingerprint")),
        ("Quantization", base.text("quantization")),
        ("Adapter", " · ".join(f"{name} {adapter.text(name)}" for name in ("name", "rank", "alpha") if adapter.text(name))),
        ("Adapter's size", size(number) if (number := adapter.number("bytes")) else ""),
        ("Dataset hash", dataset.text("hash")),
        (
            "Examples",
            " · ".join(
                f"{whole(n)} {words}" for key, words in (("train", "learnt"), ("held_out", "held out")) if (n := dataset.count(key))
            ),
        ),
        ("Renderer", part.text("renderer")),
        ("Made", part.text("made_at")),
        ("Versions", " · ".join(f"{name} {versions.text(str(name))}" for name in versions.content)),
    ]
    return [Fact(name, shown(text, 400)) for name, text in facts if text]
