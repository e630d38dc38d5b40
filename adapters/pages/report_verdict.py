"""What to think of an adapter, in one or two sentences, from the numbers of its report card. Pure."""

from dataclasses import dataclass

from adapters.pages.page import Verdict
from adapters.pages.part import Pair, Part
from adapters.pages.words import NAME_LENGTH, counted, listed, plus, points, share, shown


@dataclass(frozen=True)
class Learnt:
    """Whether it ranks the real banger better than the base; None: that was not measured, or the interval holds zero."""

    better: bool | None
    sentence: str


def verdict(part: Part) -> Verdict:
    """Gates decide whether it may go live, the ranking whether it learnt anything."""
    learnt, gates = learnt_from(part.part("ranking")), part.parts("gates")
    failed = [shown(gate.text("name"), NAME_LENGTH) or "?" for gate in gates if not gate.flag("passed")]
    if failed:
        checks = f"{len(failed)} of {counted(len(gates), 'gate')} failed: {listed(failed)}."
        return Verdict("bad", "Do not publish", (f"Do not publish: {checks}", learnt.sentence))
    if gates and not part.flag("passed"):
        return Verdict("bad", "Do not publish", ("Do not publish: the card says that it did not pass.", learnt.sentence))
    checks = f"All {len(gates)} gates passed." if len(gates) > 1 else "The one gate passed." if gates else "No gate was checked."
    if learnt.better and gates:
        return Verdict("good", "It works", (learnt.sentence, checks))
    if learnt.better is False:
        return Verdict("bad", "It got worse", (learnt.sentence, checks))
    return Verdict("unsure", "It works, unchecked" if learnt.better else "Not shown to work", (learnt.sentence, checks))


def others_of(ranking: Part) -> int | None:
    """How many other messages the real one has to beat."""
    ranks = ranking.part("ranks")
    places = max((len(ranks.numbers(name)) for name in ("base", "adapter")), default=0) if ranks else 0
    return places - 1 if places > 1 else ranking.count("k")


def learnt_from(ranking: Part | None) -> Learnt:
    accuracy = ranking.pair("accuracy") if ranking else None
    if ranking is None or accuracy is None:
        return Learnt(None, "Whether it learnt the group's voice was not measured.")
    others = others_of(ranking)
    over = f" over {counted(others, 'other')}" if others else ""
    numbers = f"the real banger{over} in {share(accuracy.adapter.value)} of cases, the base in {share(accuracy.base.value)}"
    difference = f"difference {points(accuracy.difference)}"
    if _above(accuracy):
        return Learnt(True, f"It learnt the group's voice: it picks {numbers} ({difference}).")
    if _below(accuracy):
        return Learnt(False, f"It got worse at the group's voice: it picks {numbers} ({difference}).")
    mrr = ranking.pair("mrr")
    if mrr is not None and _above(mrr):
        rise = f"mean reciprocal rank {plus(mrr.difference.value, 2)}"
        return Learnt(
            True,
            f"It learnt some of the group's voice: it ranks real bangers higher than the base does ({rise}), "
            f"but is not shown to pick them more often: it picks {numbers} ({difference}).",
        )
    if accuracy.difference.low is None:
        return Learnt(None, f"It picks {numbers} ({difference}); how sure that is was not measured.")
    return Learnt(None, f"It is not shown that it learnt the group's voice: it picks {numbers} ({difference}, so it may be nothing).")


def _above(pair: Pair) -> bool:
    return pair.difference.low is not None and pair.difference.low > 0


def _below(pair: Pair) -> bool:
    return pair.difference.high is not None and pair.difference.high < 0
