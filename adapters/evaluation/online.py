"""Evaluations that need a running server, or several models: from the options of the command to what is measured.

Puts pieces together and measures nothing itself. Whatever can be refused is refused before anything long begins.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from adapters.cli.admin_api import checked_url
from adapters.cli.errors import BadUsage
from adapters.evaluation.compare import compare
from adapters.evaluation.contestant import find_contestant
from adapters.evaluation.errors import OutOfMemory
from adapters.evaluation.harness import HarnessSettings, check, harness_card, run_harness
from adapters.evaluation.models import AS_SERVED, find_base, load_model, translated
from adapters.evaluation.options import Online
from adapters.evaluation.prompts import neutral_prompts
from adapters.evaluation.served import neutral_texts, reference_of, served_distance
from adapters.evaluation.server import MAX_LOGPROBS, RunningServer, TopTokens
from adapters.evaluation.settings import EvaluationSettings
from adapters.evaluation.tax import read_tasks
from adapters.settings import read_server_settings

Progress = Callable[[str, int, int], None]
Complete = Callable[[Mapping[str, Any]], dict[str, Any]]
"""A report card → the same with its served parts."""
Open = Callable[[Online], RunningServer]

HARNESS_LENGTH = 2048
"""Tokens of a question and its answer, where the base can hold so many: the harness's own default."""


def open_server(online: Online) -> RunningServer:
    """The server that the options and the environment mean. Raises NotServed, or BadUsage for what is no address."""
    found = read_server_settings()
    return RunningServer(checked_url(online.url or found.url), found.evaluate_key)


@contextmanager
def asked_too(
    online: Online, base: str | Path, settings: EvaluationSettings, progress: Progress, *, open_server: Open = open_server
) -> Iterator[Complete]:
    """How a report card gets its served parts, once it is there. Without --served there are none.

    Whether the server is there, serves the model and lets the key in is seen at once. Raises EvaluationError.
    """
    if not online.served:
        yield dict
        return
    harness = harness_settings(online, base, settings.quantization)
    server = open_server(online)
    try:
        adapter = server.version(online.served)

        def complete(card: Mapping[str, Any]) -> dict[str, Any]:
            distance = {**card["distance"], "served": measure_served(server, base, adapter, settings, progress)}
            if harness is None:
                return {**card, "distance": distance}
            runs = run_harness(server, ["base", adapter], harness, progress=progress)
            return {**card, "distance": distance, "tax": {**card["tax"], "harness": harness_card(*runs)}}

        yield complete
    finally:
        server.close()


def measure_served(
    server: RunningServer, base: str | Path, adapter: str, settings: EvaluationSettings, progress: Progress
) -> dict[str, Any]:
    """Served distance on the very texts of the exact one, and what serving adds to the base before it was quantized."""
    model = load_model(base, quantization=settings.quantization)
    with translated():
        prompts = neutral_prompts(settings.neutral_prompts)
        texts, starts = neutral_texts(model, prompts, tokens=settings.distance_tokens, seed=settings.seed)
        expected = {tuple(text): reference_of(model)(text) for text in texts}
    name = model.precision
    del model
    if settings.quantization == AS_SERVED:
        try:
            expected, name = _unquantized(base, texts), "the base before quantization"
        except OutOfMemory:
            progress("the unquantized base does not fit: compared with the quantized one", 0, 1)

    def reference(text: Sequence[int]) -> Sequence[TopTokens]:
        return expected[tuple(text)]

    return served_distance(
        server, texts, adapter=adapter, k=MAX_LOGPROBS, starts=starts, reference=reference, reference_name=name, progress=progress
    )


def _unquantized(base: str | Path, texts: Sequence[Sequence[int]]) -> dict[tuple[int, ...], Sequence[TopTokens]]:
    model = load_model(base, quantization="none")
    with translated():
        return {tuple(text): reference_of(model)(text) for text in texts}


def harness_settings(online: Online, base: str | Path, quantization: str) -> HarnessSettings | None:
    """None where no task is asked for. Raises EvaluationError."""
    if not online.harness:
        return None
    found = find_base(base, quantization)
    settings = HarnessSettings(
        tasks=online.harness,
        tokenizer=str(found.path),
        include_path=online.include_path,
        limit=online.limit,
        max_length=min(HARNESS_LENGTH, found.context_length),
    )
    check(settings)
    return settings


def compare_models(
    models: Sequence[str],
    online: Online,
    *,
    base: str,
    settings: EvaluationSettings,
    progress: Progress,
    open_server: Open = open_server,
) -> dict[str, Any]:
    """The comparison of what the command names. `base`: of adapters and of the server, where nothing else says; may be empty."""
    if online.harness and not base:
        raise BadUsage("--harness needs the tokenizer of the base that is served: give it with --base.")
    servers: list[RunningServer] = []

    def server() -> RunningServer:
        if not servers:
            servers.append(open_server(online))
        return servers[0]

    try:
        contestants = [find_contestant(given, base=base or None, server=server, quantization=settings.quantization) for given in models]
        return compare(
            contestants,
            read_tasks(settings.task_items),
            claim=online.claim or None,
            harness=harness_settings(online, base, settings.quantization),
            server=servers[0] if servers else None,
            progress=progress,
        )
    finally:
        for each in servers:
            each.close()
