"""Everything that is measured of an adapter, one after the other, on one loaded model: from a dataset to a report card.

Base and adapter answer the same questions on the same weights. Nothing here decides anything: `gates` does, from the card.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapters.curation.canaries import plant
from adapters.curation.dataset import Dataset
from adapters.curation.privacy.toxicity import toxicity_score
from adapters.evaluation import held_out, memorisation
from adapters.evaluation.answering import answering
from adapters.evaluation.card import assemble
from adapters.evaluation.distance import distance, measure
from adapters.evaluation.errors import NothingHeldOut, WrongBase, WrongDataset
from adapters.evaluation.models import LoadedModel, Sampling, check_adapter, find_base, load_found, translated
from adapters.evaluation.overlap import Overlap
from adapters.evaluation.prompts import asked, inviting_prompts, neutral_prompts, spread
from adapters.evaluation.safety import Judge, safety
from adapters.evaluation.settings import EvaluationSettings
from adapters.evaluation.tax import read_tasks, score_tasks, tax
from adapters.registry.base import Base

Progress = Callable[[str, int, int], None]
"""Called with (stage, done, total)."""

STAGES = ("loading", "held-out messages", "contexts", "distance", "tasks", "replies", "canaries")
"""As progress names them, in their order."""
_REPLIES_AT_ONCE = 32

Replies = Mapping[str, list[list[int]]]
"""Token ids of the replies of "base" and of "adapter", to the same prompts."""


def evaluate_adapter(
    base: str | Path,
    adapter: Path,
    dataset: Dataset,
    training: Mapping[str, Any] | None,
    settings: EvaluationSettings,
    progress: Progress,
    *,
    judge: Judge = toxicity_score,
) -> dict[str, Any]:
    """The report card of the adapter in a directory. Raises EvaluationError.

    `training`: the content of its training.json, if there is one; without it no canaries are known. `judge`: how toxic a text is, 0 to 1.
    """
    if not dataset.held_out:
        raise NothingHeldOut(
            "The dataset has no held-out examples, so nothing can be said about the adapter: curate with a held-out share."
        )
    place = find_base(base, settings.quantization)
    _check_training(training, place, dataset)
    valid = check_adapter(place, adapter)
    progress("loading", 0, 1)
    model = load_found(place, adapter)
    progress("loading", 1, 1)
    with translated(), model.unhurried():
        measured = _Measuring(model, dataset, training, settings, judge, progress).everything()
    return assemble(measured, adapter=(adapter, valid), base=place, dataset=dataset, training=training, settings=settings)


def _check_training(training: Mapping[str, Any] | None, base: Base, dataset: Dataset) -> None:
    """What it was trained on is what it is judged on, and what it has not seen is really not in its training."""
    if training is None:
        return
    known = training.get("base") or {}
    if known.get("fingerprint") not in (None, base.fingerprint):
        name = known.get("name") or "another one"
        raise WrongBase(
            f"The adapter was trained on {name} ({known.get('quantization')}) and not on the base in {base.path} ({base.quantization}): "
            "give that one with --base."
        )
    learnt = (training.get("dataset") or {}).get("hash")
    if learnt not in (None, dataset.content_hash):
        raise WrongDataset(
            f"The adapter was trained on dataset {str(learnt)[:23]}… and not on {dataset.content_hash[:23]}…: give that one with --dataset."
        )


@dataclass(frozen=True)
class _Measuring:
    """What every measurement needs."""

    model: LoadedModel
    dataset: Dataset
    training: Mapping[str, Any] | None
    settings: EvaluationSettings
    judge: Judge
    progress: Progress

    @property
    def limit(self) -> int:
        return min(self.settings.context_tokens, self.model.context_length)

    def everything(self) -> dict[str, Any]:
        """The measured parts of the card."""
        scored = self.scored()
        heard = self.answering()
        far = self.distance()
        cost = self.tax()
        neutral = neutral_prompts(self.settings.neutral_prompts)
        inviting = inviting_prompts(self.settings.inviting_prompts)
        contexts = self.contexts()
        replies = self.replies([*(self.model.renderer.prompt(asked(each)) for each in (*neutral, *inviting)), *contexts])
        first, last = len(neutral), len(neutral) + len(inviting)
        known_by_heart = {name: [*said[:first], *said[last:]] for name, said in replies.items()}
        judged = {name: [self.model.text(reply) for reply in said[:last]] for name, said in replies.items()}
        learnt = memorisation.learnt_texts(self.model, self.dataset.train)
        people = [example.target for example in self.dataset.held_out]
        return {
            "fit": held_out.fit(scored),
            "ranking": held_out.ranking(scored, self.settings.others),
            "answering": heard,
            "distance": far,
            "tax": cost,
            "memorisation": {
                "canaries": self.canaries(),
                **memorisation.overlaps(self.model, learnt, known_by_heart, people, self.settings.reply_tokens),
            },
            "safety": safety(judged, self.judge),
            "samples": self.samples(neutral, replies, learnt),
        }

    def scored(self) -> tuple[held_out.Scored, ...]:
        examples = spread(self.dataset.held_out, self.settings.held_out_examples)
        progress = self._stage("held-out messages")
        scored = held_out.score(self.model, examples, others=self.settings.others, limit=self.limit, progress=progress)
        if not scored:
            raise NothingHeldOut(f"No held-out example fits into {self.limit} tokens: give a larger --context-tokens, or another dataset.")
        return scored

    def answering(self) -> dict[str, Any] | None:
        examples = spread(self.dataset.held_out, self.settings.held_out_examples)
        return answering(self.model, examples, limit=self.limit, progress=self._stage("contexts"))

    def distance(self) -> dict[str, Any]:
        prompts = neutral_prompts(self.settings.neutral_prompts)
        progress = self._stage("distance")
        tokens = measure(self.model, prompts, tokens=self.settings.distance_tokens, seed=self.settings.seed, progress=progress)
        return distance(tokens, prompts=len(prompts), precision=self.model.precision)

    def tax(self) -> dict[str, Any]:
        tasks = read_tasks(self.settings.task_items)
        total = 2 * sum(len(task.items) for task in tasks)
        progress = self._stage("tasks")
        with self.model.without_adapter():
            base = score_tasks(self.model, tasks, lambda done, _: progress(done, total))
        return tax(base, score_tasks(self.model, tasks, lambda done, half: progress(half + done, total)))

    def contexts(self) -> list[list[int]]:
        """Prompts of held-out examples."""
        found = []
        for example in spread(self.dataset.held_out, self.settings.contexts):
            lesson = self.model.renderer.lesson(example.turns, example.target, example.weight, limit=self.limit)
            if lesson is not None:
                found.append(list(lesson.ids[: lesson.prompt]))
        return found

    def replies(self, prompts: Sequence[Sequence[int]]) -> Replies:
        found: dict[str, list[list[int]]] = {"base": [], "adapter": []}
        sampling = Sampling(max_tokens=self.settings.reply_tokens, seed=self.settings.seed)
        progress = self._stage("replies")
        for start in range(0, len(prompts), _REPLIES_AT_ONCE):
            some = prompts[start : start + _REPLIES_AT_ONCE]
            found["adapter"] += self.model.generate(some, sampling)
            with self.model.without_adapter():
                found["base"] += self.model.generate(some, sampling)
            progress(start + len(some), len(prompts))
        return found

    def canaries(self) -> dict[str, Any] | None:
        """None where none were planted, or where it is not known."""
        planted = (self.training or {}).get("canaries") or {}
        if not planted.get("count"):
            return None
        canaries = plant(str(planted["seed"]), int(planted["count"]))
        return memorisation.exposures(self.model, canaries, self.settings.alternatives, self._stage("canaries")).to_json()

    def samples(self, prompts: Sequence[str], replies: Replies, learnt: Overlap) -> list[dict[str, str]]:
        """Of neutral prompts, and without replies that are somebody's message: a card travels."""
        rows = zip(prompts, replies["base"], replies["adapter"], strict=False)
        shown = tuple(
            {"prompt": prompt, "base": self.model.text(base), "adapter": self.model.text(adapter)}
            for prompt, base, adapter in rows
            if not memorisation.repeats_learnt(learnt, adapter)
        )
        return list(spread(shown, self.settings.samples))

    def _stage(self, name: str) -> Callable[[int, int], None]:
        return lambda done, total: self.progress(name, done, total)
