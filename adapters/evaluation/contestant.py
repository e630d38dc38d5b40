"""The models of a comparison: named on a command line, told apart, and opened one after the other.

A base's directory or hub name, an adapter's directory or a finished run, or a model string of a running server. Knows nothing of tasks.
"""

import gc
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import torch

from adapters.evaluation.errors import BadComparison, NotServed, WrongBase
from adapters.evaluation.models import AS_SERVED, find_base, load_model
from adapters.evaluation.server import RunningServer
from adapters.evaluation.tax import Reader
from adapters.registry.errors import BadName
from adapters.registry.lora_config import FILE as ADAPTER_FILE
from adapters.registry.names import BASE, parse_model
from adapters.training.bases import is_hub_name, open_renderer
from adapters.training.errors import TrainingError
from adapters.training.rendering import Renderer

Kind = Literal["base", "adapter", "served"]


@dataclass(frozen=True)
class Contestant:
    """`open` loads it, and what it gives is gone from memory afterwards. `model`: its string, where it is served."""

    name: str
    kind: Kind
    source: str
    open: Callable[[], AbstractContextManager[Reader]]
    model: str | None = None

    def to_json(self) -> dict[str, str]:
        return {"name": self.name, "kind": self.kind, "source": self.source}


class ServedModel:
    """A model string of a running server, asked over HTTP. `renderer`: of the base that is served."""

    def __init__(self, server: RunningServer, model: str, renderer: Renderer) -> None:
        self._server = server
        self._model = model
        self.renderer = renderer

    def log_likelihoods(self, prompt: Sequence[int], targets: Sequence[Sequence[int]]) -> list[float]:
        texts = [[*prompt, *target] for target in targets]
        return [scored.log_likelihood(len(prompt)) for scored in self._server.score(self._model, texts, 0)]


def find_contestant(given: str, *, base: str | None, server: Callable[[], RunningServer], quantization: str = AS_SERVED) -> Contestant:
    """What one argument of the command means; `NAME=…` gives it a name of one's own. Raises EvaluationError.

    `base`: what adapters were made for and the server serves, if it is not known otherwise. `server` is called only for what can be
    nothing else than a model of a server.
    """
    name, equals, what = given.partition("=")
    if not equals or "/" in name:
        name, what = given, given
    path = Path(what).expanduser()
    folder = path / "adapter" if (path / "adapter" / ADAPTER_FILE).is_file() else path
    if (folder / ADAPTER_FILE).is_file():
        made_for = base or _base_of(folder)
        opened: Callable[[], AbstractContextManager[Reader]] = partial(_loaded, made_for, folder, quantization)
        return Contestant(name, "adapter", f"{what} on {made_for}", opened)
    if path.is_dir() or is_hub_name(what):
        return Contestant(name, "base", what, partial(_loaded, what, None, quantization))
    return _served(name, what, base, server)


def _served(name: str, model: str, base: str | None, server: Callable[[], RunningServer]) -> Contestant:
    try:
        if model != BASE:
            parse_model(model)
    except BadName as exc:
        raise BadComparison(f"{model[:200]!r} is neither a directory, nor a hub name, nor a model of a server: check it.") from exc
    if base is None:
        raise BadComparison(
            f"There is no directory {model[:200]!r}: if it is a model of a running server, give that one's base with --base, for its"
            " tokenizer."
        )
    try:
        asked = server()
        version = asked.version(model)
    except NotServed as exc:
        said = str(exc)
        raise NotServed(f"There is no directory {model[:200]!r}, so a server was to be asked: {said[0].lower()}{said[1:]}") from exc
    return Contestant(name, "served", f"{version} at {asked.url}", partial(_asked, asked, version, base), version)


def _base_of(adapter: Path) -> str:
    try:
        named = json.loads((adapter / ADAPTER_FILE).read_bytes())["base_model_name_or_path"]
    except (OSError, ValueError, KeyError, TypeError) as exc:
        raise WrongBase(f"The adapter in {adapter} does not say which base it was made for: give it with --base.") from exc
    if not isinstance(named, str) or not named or not (Path(named).is_dir() or is_hub_name(named)):
        raise WrongBase(f"The adapter in {adapter} was made for {str(named)[:200]!r}, which is not here: give its base with --base.")
    return named


@contextmanager
def _loaded(base: str, adapter: Path | None, quantization: str) -> Iterator[Reader]:
    model = load_model(base, adapter, quantization=quantization)
    try:
        yield model
    finally:
        del model
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


@contextmanager
def _asked(server: RunningServer, model: str, base: str) -> Iterator[Reader]:
    directory = find_base(base, AS_SERVED).path
    try:
        yield ServedModel(server, model, open_renderer(directory))
    except TrainingError as exc:
        raise WrongBase(str(exc)) from exc
