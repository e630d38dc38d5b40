"""Any number of models side by side: the same small tasks for all, each with its interval, and the paired difference to the first.

Models are loaded one after the other, so that the largest alone has to fit. With a claim ("A < B < C") the order is checked by the paired
differences over all items. Anybody can repeat it: the tasks are files of this repository, and nothing is drawn at random but the bootstrap.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from adapters.evaluation.claim import check_claim, read_claim
from adapters.evaluation.contestant import Contestant
from adapters.evaluation.errors import BadComparison
from adapters.evaluation.estimate import Estimate, pair
from adapters.evaluation.harness import Execute, HarnessRun, HarnessSettings, difference, execute, run_harness
from adapters.evaluation.harness import TaskScore as HarnessScore
from adapters.evaluation.models import translated
from adapters.evaluation.server import RunningServer
from adapters.evaluation.tax import METRIC, Task, TaskScore, score_tasks

Progress = Callable[[str, int, int], None]

SCHEMA = 1
ALL = "all tasks"
_WITHIN = (0.0, 1.0)
_METHOD = (
    "Every model answers the same {items} multiple-choice items of this repository ({metric}). Intervals: 95 %, bootstrap over items;"
    " differences to {first}: paired, item by item.{harness}"
)
_HARNESS = " Rows named after lm-evaluation-harness {version} are its own, asked of the running server with the same settings for all."


def compare(
    contestants: Sequence[Contestant],
    tasks: Sequence[Task],
    *,
    claim: str | None = None,
    harness: HarnessSettings | None = None,
    server: RunningServer | None = None,
    execute: Execute = execute,
    progress: Progress,
) -> dict[str, Any]:
    """The comparison, as a page draws it. Raises EvaluationError.

    `harness`: more tasks, for models of the running `server`; then all of them must be.
    """
    names = [each.name for each in contestants]
    _check(contestants, claim, harness, server)
    scored: dict[str, list[TaskScore]] = {}
    for contestant in contestants:
        with translated(), contestant.open() as model:
            scored[contestant.name] = score_tasks(model, tasks, _stage(progress, contestant.name))
    rows = [_row(task, [scored[name][place].points for name in names]) for place, task in enumerate(tasks)]
    everything = {name: [point for score in scored[name] for point in score.points] for name in names}
    rows.append(_row(Task(ALL, "The items of all the tasks above together.", ()), list(everything.values())))
    runs: list[HarnessRun] = []
    if harness is not None and server is not None:
        runs = run_harness(server, [str(each.model) for each in contestants], harness, progress=progress, execute=execute)
        rows += _harness_rows(runs)
    checked = None if claim is None else check_claim(claim, everything)
    return {
        "schema": SCHEMA,
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "method": _METHOD.format(
            items=len(everything[names[0]]),
            metric=METRIC,
            first=names[0],
            harness=_HARNESS.format(version=runs[0].version) if runs else "",
        ),
        "models": [each.to_json() for each in contestants],
        "tasks": rows,
        "claim": None if checked is None else checked.sentence(),
        "claim_checked": None if checked is None else checked.to_json(),
    }


def _check(contestants: Sequence[Contestant], claim: str | None, harness: HarnessSettings | None, server: RunningServer | None) -> None:
    """Everything that can be said before a model is loaded."""
    names = [each.name for each in contestants]
    if len(names) < 2:
        raise BadComparison("A comparison needs two models or more: name another one.")
    if twice := [name for place, name in enumerate(names) if name in names[:place]]:
        raise BadComparison(f"Two models are called {twice[0]!r}: give them names of their own, as in first={twice[0]} second={twice[0]}.")
    if claim is not None:
        read_claim(claim, names)
    if harness is not None:
        if elsewhere := [each.name for each in contestants if each.model is None]:
            raise BadComparison(f"--harness asks a running server, and {elsewhere[0]} is not one of its models: serve it, or leave it out.")
        if server is None:
            raise BadComparison("--harness asks a running server: say which with --url.")


def _row(task: Task, points: Sequence[Sequence[float]]) -> dict[str, Any]:
    first = points[0]
    pairs = [pair(first, each, within=_WITHIN) for each in points]
    differences = [None, *(each.difference.to_json() for each in pairs[1:])]
    return {
        "name": task.name,
        "about": task.about,
        "examples": len(first),
        "metric": METRIC,
        "scores": [each.adapter.to_json() for each in pairs],
        "differences": differences,
    }


def _harness_rows(runs: Sequence[HarnessRun]) -> list[dict[str, Any]]:
    """Of every metric that all of them have."""
    tables: list[Mapping[tuple[str, str], HarnessScore]] = [{(score.task, score.metric): score for score in run.scores} for run in runs]
    rows = []
    for key, first in tables[0].items():
        found = [table[key] for table in tables if key in table]
        if len(found) < len(tables):
            continue
        differences: list[Estimate] = [difference(first, each) for each in found[1:]]
        rows.append(
            {
                "name": f"lm-evaluation-harness: {first.task}",
                "about": "" if first.higher_is_better is None else f"{'Higher' if first.higher_is_better else 'Lower'} is better.",
                "examples": len(first.samples),
                "metric": first.metric,
                "scores": [each.estimate().to_json() for each in found],
                "differences": [None, *(each.to_json() for each in differences)],
            }
        )
    return rows


def _stage(progress: Progress, name: str) -> Callable[[int, int], None]:
    return lambda done, total: progress(f"{name}: tasks", done, total)
