"""When a start of vLLM reaches which point, told by wrapping a few functions of the pinned vLLM. For the cold-start benchmark alone.

Nothing of ours imports this. The benchmark hands vLLM a logging configuration (`VLLM_LOGGING_CONFIG_PATH`) that names `Phases` as a
filter, and vLLM makes one in each of its processes, spawned or forked, as the first thing after its imports and arguments. So the very
same thing measures a plain server, a cold engine and one that a standby host forked, and no code of ours knows of it. Imports nothing of
vLLM itself.
"""

import functools
import importlib.abc
import importlib.machinery
import json
import logging
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any


@dataclass(frozen=True)
class Point:
    """A function of vLLM, and what is reached when it begins or when it has ended."""

    module: str
    function: str
    """With its class, if it has one."""
    begins: str = ""
    ended: str = ""


POINTS = (
    Point("vllm.model_executor.models.registry", "_ModelRegistry.inspect_model_cls", ended="inspected"),
    Point("vllm.v1.engine.async_llm", "AsyncLLM.__init__", begins="configured"),
    Point("vllm.v1.worker.cpu_model_runner", "CPUModelRunner.load_model", begins="loading"),
    Point("vllm.v1.worker.gpu_model_runner", "GPUModelRunner.load_model", begins="loading"),
    Point("vllm.v1.worker.lora_model_runner_mixin", "LoRAModelRunnerMixin.load_lora_model", begins="weights", ended="lora"),
    Point("vllm.v1.engine.core", "EngineCore._initialize_kv_caches", ended="kv"),
)
PROCESS = "process"
"""The point that each process reaches first."""


class Phases(logging.Filter):
    """Lets every record pass.

    `path`: a file to which each process appends `{"point": …, "pid": …, "at": time.monotonic()}`, a line each.
    """

    def __init__(self, path: str) -> None:
        super().__init__()
        finder = next((each for each in sys.meta_path if isinstance(each, Finder)), None)
        if finder is None:
            finder = Finder(functools.partial(append, path), sys.modules)
            sys.meta_path.insert(0, finder)
        finder.begin(os.getpid())


class Finder(importlib.abc.MetaPathFinder):
    """Wraps the points of the modules that are there, and those of every other one once it was run. Finds what is found anyway."""

    def __init__(self, tell: Callable[[str], None], modules: Mapping[str, ModuleType], points: Sequence[Point] = POINTS) -> None:
        self._tell = tell
        self._points = points
        self._process = 0
        for point in points:
            if (module := modules.get(point.module)) is not None:
                wrap(module, point, tell)

    def begin(self, process: int) -> None:
        """Told once for each process, however often it is said."""
        if process != self._process:
            self._process = process
            self._tell(PROCESS)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        points = [point for point in self._points if point.module == fullname]
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target) if points else None
        if spec is None or spec.loader is None:
            return None
        run = spec.loader.exec_module

        def run_and_wrap(module: ModuleType) -> None:
            run(module)
            for point in points:
                wrap(module, point, self._tell)

        spec.loader.exec_module = run_and_wrap  # type: ignore[method-assign]
        return spec


def wrap(module: ModuleType, point: Point, tell: Callable[[str], None]) -> None:
    """Put a function that tells in the place of `point`'s. Raises AttributeError if this is another vLLM."""
    *owners, name = point.function.split(".")
    owner: Any = functools.reduce(getattr, owners, module)
    inner = getattr(owner, name)

    @functools.wraps(inner)
    def outer(*args: Any, **kwargs: Any) -> Any:
        if point.begins:
            tell(point.begins)
        try:
            return inner(*args, **kwargs)
        finally:
            if point.ended:
                tell(point.ended)

    setattr(owner, name, outer)


def append(path: str, point: str) -> None:
    """One write, so that lines of several processes do not mix."""
    line = json.dumps({"point": point, "pid": os.getpid(), "at": time.monotonic()}) + "\n"
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(file, line.encode())
    finally:
        os.close(file)
