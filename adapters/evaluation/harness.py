"""lm-evaluation-harness, unmodified, against a running server: the same command once for each model, and its results side by side.

The harness is a program of its own here (`python -m lm_eval`, `--model local-completions`): nothing of it is imported, and none of its
options that run code from elsewhere is given. Data sets come from where its task files say; with HF_DATASETS_OFFLINE set, from this
machine only. Knows nothing of report cards.
"""

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from math import hypot
from pathlib import Path
from typing import Any

from adapters.evaluation.errors import HarnessFailed
from adapters.evaluation.estimate import CONFIDENCE, Estimate, pair
from adapters.evaluation.server import RunningServer
from adapters.settings import child_environment

Progress = Callable[[str, int, int], None]

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+/-]*")
_NOT_FOUND = re.compile(r"Tasks not found: (.+)")
_SAID = re.compile(r'"message": ?"((?:[^"\\]|\\.)+)"')
_Z = 1.959964
"""Standard errors to either side of a value that are its 95 % interval."""


@dataclass(frozen=True)
class HarnessSettings:
    tasks: tuple[str, ...]
    tokenizer: str
    """The base's directory or its name on the hub: what the served models' token ids mean."""
    include_path: Path | None = None
    """A folder with task files of one's own."""
    limit: int | None = None
    """Examples of each task; None for all."""
    few_shot: int | None = None
    """Examples in front of each question; None for what the task says."""
    max_length: int = 2048
    """Tokens of question and answer; not more than the server's context."""
    batch_size: int = 8
    concurrency: int = 2
    seconds: float = 4 * 3600.0
    """For one model."""


@dataclass(frozen=True)
class TaskScore:
    """One metric of one task. `samples`: example → its value, where the metric is a mean over examples."""

    task: str
    metric: str
    value: float
    stderr: float | None
    higher_is_better: bool | None
    samples: Mapping[str, float]

    def estimate(self) -> Estimate:
        """With the harness's own standard error."""
        margin = _Z * (self.stderr or 0.0)
        return Estimate(self.value, self.value - margin, self.value + margin, len(self.samples))


@dataclass(frozen=True)
class HarnessRun:
    """What one model got. `version` is the harness's own."""

    model: str
    version: str
    scores: tuple[TaskScore, ...]


@dataclass(frozen=True)
class Finished:
    code: int
    output: str
    """Both streams."""


Execute = Callable[[Sequence[str], Mapping[str, str], float], Finished]
"""(command, environment, seconds) → how it ended. Raises TimeoutError."""


def execute(command: Sequence[str], environment: Mapping[str, str], seconds: float) -> Finished:
    """In a process of its own, which does not outlive this call."""
    try:
        done = subprocess.run(
            command, env=dict(environment), timeout=seconds, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
    except subprocess.TimeoutExpired as exc:
        raise TimeoutError from exc
    return Finished(done.returncode, done.stdout.decode(errors="replace"))


def run_harness(
    server: RunningServer, models: Sequence[str], settings: HarnessSettings, *, progress: Progress, execute: Execute = execute
) -> list[HarnessRun]:
    """Every model through the same tasks with the same settings. Raises HarnessFailed or NotServed.

    A model string is held to the version that it means now, so that a promotion in between changes nothing.
    """
    check(settings)
    versions = [server.version(model) for model in models]
    runs = []
    for done, model in enumerate(versions):
        progress(f"lm-evaluation-harness: {model}", done, len(versions))
        with tempfile.TemporaryDirectory(prefix="troupe-harness-") as folder:
            command = harness_command(server.url, model, settings, Path(folder) / "results.json")
            environment = child_environment(OPENAI_API_KEY=server.key, TOKENIZERS_PARALLELISM="false")
            try:
                finished = execute(command, environment, settings.seconds)
            except TimeoutError as exc:
                raise HarnessFailed(
                    f"lm-evaluation-harness did not end within {settings.seconds:g} s for {model}: give fewer tasks, or a --limit."
                ) from exc
            if finished.code:
                raise HarnessFailed(reason(finished.output, model))
            runs.append(read_run(Path(folder), model))
    progress("lm-evaluation-harness", len(versions), len(versions))
    return runs


def check(settings: HarnessSettings, *, installed: bool | None = None) -> None:
    """What can be said before anything runs. `installed` replaces the look for the package, for tests. Raises HarnessFailed."""
    if not (find_spec("lm_eval") is not None if installed is None else installed):
        raise HarnessFailed("lm-evaluation-harness is not installed: install Troupe with its extra `harness`, or leave out --harness.")
    if not settings.tasks:
        raise HarnessFailed("There is no task for lm-evaluation-harness: name some, as in --harness arc_easy,hellaswag.")
    for task in settings.tasks:
        if not _NAME.fullmatch(task):
            raise HarnessFailed(f"{task[:80]!r} is no name of a task: `python -m lm_eval ls tasks` lists them.")
    if settings.include_path is not None and not settings.include_path.is_dir():
        raise HarnessFailed(f"{settings.include_path} is no folder with task files: give --include-path the folder that holds them.")


def harness_command(url: str, model: str, settings: HarnessSettings, output: Path) -> list[str]:
    """The whole command. The key is not in it, as others on this machine can read it."""
    arguments = {
        "model": model,
        "base_url": f"{url}/v1/completions",
        "tokenizer": settings.tokenizer,
        "tokenizer_backend": "huggingface",
        "tokenized_requests": True,
        "max_length": settings.max_length,
        "num_concurrent": settings.concurrency,
    }
    command = [sys.executable, "-m", "lm_eval", "run", "--model", "local-completions"]
    command += ["--model_args", *(f"{name}={value!r}" for name, value in arguments.items())]
    command += ["--tasks", *settings.tasks, "--batch_size", str(settings.batch_size)]
    command += ["--output_path", str(output), "--log_samples"]
    optional = {"--include_path": settings.include_path, "--limit": settings.limit, "--num_fewshot": settings.few_shot}
    return command + [part for name, value in optional.items() if value is not None for part in (name, str(value))]


def reason(output: str, model: str) -> str:
    """Why the harness ended early, in one sentence."""
    if found := _NOT_FOUND.search(output):
        return (
            f"lm-evaluation-harness knows no task {found[1].strip()}: `python -m lm_eval ls tasks` lists them,"
            " and --include-path adds a folder of one's own."
        )
    if said := _SAID.findall(output):
        return f"lm-evaluation-harness did not get through with {model}: the server said: {said[-1]}"
    last = next((line.strip() for line in reversed(output.splitlines()) if line.strip()), "nothing was said")
    return f"lm-evaluation-harness failed with {model} ({last[:300].rstrip('.')}): run it by hand to see more."


def read_run(folder: Path, model: str) -> HarnessRun:
    """What the harness left in `folder`. Raises HarnessFailed."""
    try:
        (path,) = folder.glob("results_*.json")
        content = json.loads(path.read_bytes())
        samples = _samples(folder)
        scores = [
            score
            for task, result in content["results"].items()
            for score in _scores(task, result, content["higher_is_better"].get(task) or {}, samples)
        ]
        return HarnessRun(model, str(content["lm_eval_version"]), tuple(scores))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as exc:
        raise HarnessFailed(
            f"lm-evaluation-harness left no results that can be read ({exc!r}): is it another version than 0.4.13?"
        ) from exc


def _scores(
    task: str, result: Mapping[str, Any], better: Mapping[str, bool], samples: Mapping[tuple[str, str, str], Mapping[str, float]]
) -> list[TaskScore]:
    scores = []
    for key, value in result.items():
        metric, comma, kind = key.partition(",")
        if not comma or metric.endswith("_stderr") or not isinstance(value, int | float):
            continue
        stderr = result.get(f"{metric}_stderr,{kind}")
        scores.append(
            TaskScore(
                task=task,
                metric=metric if kind == "none" else f"{metric} ({kind})",
                value=float(value),
                stderr=float(stderr) if isinstance(stderr, int | float) else None,
                higher_is_better=better.get(metric),
                samples=samples.get((task, metric, kind), {}),
            )
        )
    return scores


def _samples(folder: Path) -> dict[tuple[str, str, str], dict[str, float]]:
    """(task, metric, filter) → example → value, from the harness's logs of its samples."""
    found: dict[tuple[str, str, str], dict[str, float]] = {}
    for path in folder.glob("samples_*.jsonl"):
        task = re.sub(r"_\d{4}-\d\d-\d\dT[0-9.-]+$", "", path.stem.removeprefix("samples_"))
        for line in path.read_text("utf-8").splitlines():
            sample = json.loads(line)
            for metric in sample["metrics"]:
                if isinstance(value := sample.get(metric), int | float):
                    found.setdefault((task, metric, str(sample["filter"])), {})[str(sample["doc_id"])] = float(value)
    return found


def difference(first: TaskScore, second: TaskScore) -> Estimate:
    """`second` minus `first`: paired, example by example, where the metric is a mean over the same ones; else from both standard errors."""
    same = sorted(first.samples) if first.samples.keys() == second.samples.keys() else []
    if same:
        before, after = ([score.samples[each] for each in same] for score in (first, second))
        is_share = all(0 <= value <= 1 for value in (*before, *after))
        found = pair(before, after, within=(0.0, 1.0) if is_share else None).difference
        if abs(found.value - (second.value - first.value)) < 1e-6:
            return found
    margin = _Z * hypot(first.stderr or 0.0, second.stderr or 0.0)
    value = second.value - first.value
    return Estimate(value, value - margin, value + margin, min(len(first.samples), len(second.samples)))


def harness_card(base: HarnessRun, adapter: HarnessRun) -> dict[str, Any]:
    """Both runs as they stand in a report card, below tax.harness."""
    after = {(score.task, score.metric): score for score in adapter.scores}
    rows = [(score, after[score.task, score.metric]) for score in base.scores if (score.task, score.metric) in after]
    return {
        "version": base.version,
        "models": {"base": base.model, "adapter": adapter.model},
        "confidence": CONFIDENCE,
        "tasks": [
            {
                "name": before.task,
                "metric": before.metric,
                "higher_is_better": before.higher_is_better,
                "examples": len(before.samples),
                "base": {"value": before.value, "stderr": before.stderr},
                "adapter": {"value": now.value, "stderr": now.stderr},
                "difference": difference(before, now).to_json(),
            }
            for before, now in rows
        ],
    }
