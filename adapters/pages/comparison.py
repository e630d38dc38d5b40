"""The page of several models side by side on the same tasks. Knows no model, only the comparison."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from adapters.pages.errors import BrokenCard
from adapters.pages.measure import Value, Write, meaning, share_change, value
from adapters.pages.page import NOT_MEASURED, Fact, Tone, Verdict, render
from adapters.pages.part import Estimate, Part, read_card
from adapters.pages.strip import Strip, dot, reach, scale_of
from adapters.pages.words import SENTENCE_LENGTH, counted, date, decimal, listed, plus, share, shown, whole

REMEDY = "make it anew with `troupe evaluate`"
KINDS = {"base": "a base", "adapter": "an adapter on its base", "served": "of a running server"}
ANSWERS: Mapping[str, tuple[Tone, str]] = {
    "holds": ("good", "Holds"),
    "not shown": ("unsure", "Not shown"),
    "contradicted": ("bad", "Contradicted"),
}
"""What a claim can turn out to be."""
LOWER_IS_BETTER = frozenset(("nll", "loss", "perplexity", "kl", "error", "brier", "bits"))


@dataclass(frozen=True)
class Scores:
    """Of one task, in the order of the models; `differences` to the first model."""

    name: str
    about: str
    metric: str
    scores: tuple[Estimate | None, ...]
    differences: tuple[Estimate | None, ...]

    @property
    def lower_is_better(self) -> bool:
        words = self.metric.lower().replace(",", " ").replace("_", " ").replace("-", " ").split()
        return self.about.lower().startswith("lower is better") or not LOWER_IS_BETTER.isdisjoint(words)


def comparison_page(comparison: Mapping[str, Any]) -> str:
    """One HTML file. Raises BrokenCard."""
    part = read_card(comparison, "comparison", REMEDY)
    models = [shown(model.text("name")) or f"model {place}" for place, model in enumerate(part.parts("models"), start=1)]
    given = part.parts("tasks") if models else ()
    tasks = [_scores(task, len(models)) for task in given]
    claim = _claim(part)
    return render(
        "comparison.html",
        kind="Comparison",
        title=f"{counted(len(models), 'model')} side by side",
        subtitle=f"On {counted(len(tasks), 'task')}. Made on {date(part.text('made_at')) or 'an unknown day'}.",
        verdict=_verdict(models, tasks, claim),
        models=[
            Fact(name, f"{KINDS.get(model.text('kind'), shown(model.text('kind')))}: {shown(model.text('source'), 120)}".strip(": "))
            for name, model in zip(models, part.parts("models"), strict=True)
        ],
        names=models,
        matrix=[_matrix_row(place, tasks) for place in range(len(models))],
        tasks=[_task(each, task, models) for each, task in zip(tasks, given, strict=True)],
        heads=[task.name for task in tasks],
        claim=claim,
        method=shown(part.text("method"), 2 * SENTENCE_LENGTH),
    )


def _scores(task: Part, models: int) -> Scores:
    """Padded where a model was not measured. Raises BrokenCard where there are more scores than models."""
    scores = _estimates(task, "scores")
    differences = _estimates(task, "differences")
    if max(len(scores), len(differences)) > models:
        raise BrokenCard(f"{task.path} has more scores than there are models: {REMEDY}.")
    name, about = shown(task.text("name")) or "(no name)", shown(task.text("about"), SENTENCE_LENGTH)
    return Scores(name, about, shown(task.text("metric")), _padded(scores, models), _padded(differences, models))


def _estimates(task: Part, key: str) -> tuple[Any, ...]:
    found = task.content.get(key) or []
    return tuple(Part({key: each}, task.path, task.remedy).estimate(key) for each in found) if isinstance(found, list | tuple) else ()


def _padded(found: tuple[Any, ...], size: int) -> tuple[Any, ...]:
    return (*found, *[None] * (size - len(found)))


def _claim(part: Part) -> dict[str, Any] | None:
    """What was claimed, and each step of it. Only a sentence, where that is all that is known."""
    checked = part.part("claim_checked")
    if checked is None:
        return (
            {"text": "", "sentence": shown(part.text("claim"), SENTENCE_LENGTH), "answer": "", "steps": []} if part.text("claim") else None
        )
    steps = []
    for step in checked.parts("steps"):
        tone, words = ANSWERS.get(step.text("verdict"), ("unsure", shown(step.text("verdict"))))
        found = value(step.estimate("difference"), share_change)
        names = {key: shown(step.text(key)) or "?" for key in ("lower", "higher")}
        steps.append({**names, "difference": found, "tone": tone, "answer": words.lower()})
    return {"text": shown(checked.text("text"), SENTENCE_LENGTH), "sentence": "", "answer": checked.text("verdict"), "steps": steps}


def _verdict(models: list[str], tasks: list[Scores], claim: Mapping[str, Any] | None) -> Verdict:
    if not tasks or len(models) < 2:
        return Verdict("unsure", "Nothing to compare", ("It takes two models and a task to compare.",))
    if claim is None:
        return Verdict("good", "Measured", _standing(models, tasks))
    tone, badge = ANSWERS.get(claim["answer"], ("unsure", "Not checked"))
    sentence = claim["sentence"] or f"The claim “{claim['text']}” {_SAID[tone]}."
    return Verdict(tone, badge, (sentence, *_standing(models, tasks)))


_SAID: Mapping[Tone, str] = {
    "good": "holds: each next model is better than the one before, and chance does not explain it",
    "unsure": "is not shown: at least one step may be chance, more examples would be needed",
    "bad": "is contradicted: at least one step goes the other way, and chance does not explain it",
}


def _standing(models: list[str], tasks: list[Scores]) -> tuple[str, ...]:
    """Each model against the first: where it is surely better or worse."""
    sentences = []
    for place, name in list(enumerate(models))[1:]:
        words = [_meaning(task, place)[1] for task in tasks]
        parts = [f"{word} on {words.count(word)}" for word in ("better", "worse") if word in words]
        sentences.append(f"{name} is {listed(parts)}" if parts else f"{name} shows no difference")
    return (f"Against {models[0]}, of {counted(len(tasks), 'task')}: {'; '.join(sentences)}.",) if len(sentences) <= 6 else ()


def _meaning(task: Scores, place: int) -> tuple[Tone | None, str]:
    difference = task.differences[place]
    return (None, "") if difference is None else meaning(difference, -1 if task.lower_is_better else 1)


def _is_share(task: Scores) -> bool:
    return not task.lower_is_better and all(0 <= each.value <= 1 for each in task.scores if each)


def _writers(task: Scores) -> tuple[Write, Write]:
    """How its scores are written, and their differences."""
    if _is_share(task):
        return share, share_change
    return (lambda number: decimal(number, 3)), (lambda number: plus(number, 3))


def _best(task: Scores) -> float | None:
    known = [each.value for each in task.scores if each]
    return (min(known) if task.lower_is_better else max(known)) if known else None


def _matrix_row(place: int, tasks: list[Scores]) -> list[tuple[Value, bool]]:
    """A model's scores, and which of them no other is above."""
    found = []
    for task in tasks:
        score = task.scores[place]
        found.append((value(score, _writers(task)[0]), score is not None and score.value == _best(task)))
    return found


def _task(task: Scores, part: Part, models: list[str]) -> dict[str, Any]:
    write, change = _writers(task)
    scale = scale_of(reach(task.scores), write, within=(0.0, 1.0) if _is_share(task) else None)
    rows = []
    for place, name in enumerate(models):
        score = task.scores[place]
        tone, words = _meaning(task, place)
        drawn = None if score is None else Strip((dot("adapter" if place else "base", score, scale),), _marks(task, scale.place))
        difference = Value("") if place == 0 else value(task.differences[place], change)
        rows.append({"name": name, "strip": drawn, "score": value(score, write), "difference": difference, "tone": tone, "meaning": words})
    examples = part.count("examples")
    return {
        "name": task.name,
        "about": task.about,
        "metric": task.metric or "score",
        "examples": NOT_MEASURED if examples is None else whole(examples),
        "direction": "lower is better" if task.lower_is_better else "higher is better",
        "unit": ", points" if _is_share(task) else "",
        "scale": scale,
        "rows": rows,
    }


def _marks(task: Scores, place: Any) -> tuple[float, ...]:
    """The first model's score, through all rows."""
    return (place(task.scores[0].value),) if task.scores and task.scores[0] else ()
