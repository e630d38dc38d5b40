"""Points of a start: told by wrapped functions, wherever and whenever their modules are imported."""

import importlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from server.engine.phases import Finder, Point, wrap

POINTS = (Point("troupe_late_module", "Thing.begin", begins="begins", ended="ended"), Point("troupe_late_module", "end", ended="end"))
SOURCE = """
class Thing:
    def begin(self, answer):
        return answer

def end():
    raise ValueError("the function's own")
"""


@pytest.fixture
def late(tmp_path: Path) -> Iterator[Path]:
    """A folder on the path with a module that nobody has imported."""
    (tmp_path / "troupe_late_module.py").write_text(SOURCE)
    sys.path.insert(0, str(tmp_path))
    finders = list(sys.meta_path)
    yield tmp_path
    sys.path.remove(str(tmp_path))
    sys.meta_path[:] = finders
    sys.modules.pop("troupe_late_module", None)


def begin(module: ModuleType) -> None:
    """Both functions do what they did before."""
    assert module.Thing().begin(5) == 5
    with pytest.raises(ValueError, match="own"):
        module.end()


def test_a_module_that_comes_later_is_wrapped_as_it_comes(late: Path) -> None:
    """Begin and end are told, an end by an error too."""
    told: list[str] = []
    sys.meta_path.insert(0, Finder(told.append, {}, POINTS))
    begin(importlib.import_module("troupe_late_module"))
    assert told == ["begins", "ended", "end"]


def test_a_module_that_is_there_is_wrapped_at_once(late: Path) -> None:
    """As where an engine is forked from a process that has everything imported."""
    told: list[str] = []
    module = importlib.import_module("troupe_late_module")
    Finder(told.append, {"troupe_late_module": module}, POINTS)
    begin(module)
    assert told == ["begins", "ended", "end"]


def test_each_process_begins_once() -> None:
    """vLLM reads its logging configuration several times in each."""
    told: list[str] = []
    finder = Finder(told.append, {}, ())
    for process in (7, 7, 8, 8):
        finder.begin(process)
    assert told == ["process", "process"]


def test_another_vllm_is_no_silent_zero() -> None:
    """A function that is not there any more is an error, not a phase that takes no time."""
    with pytest.raises(AttributeError):
        wrap(ModuleType("empty"), Point("empty", "Engine.start", begins="x"), print)


CONFIGURE = """
import json, logging.config, sys
logging.config.dictConfig(json.loads(sys.argv[1]))
import server.engine.phases as phases
import importlib
for point in phases.POINTS:
    if "gpu" not in point.module:
        importlib.import_module(point.module)
print(sorted(point.function for point in phases.POINTS if "gpu" not in point.module and hasattr(
    __import__("functools").reduce(getattr, point.function.split("."), sys.modules[point.module]), "__wrapped__")))
"""


@pytest.mark.engine
def test_the_pinned_vllm_has_every_point(tmp_path: Path) -> None:
    """Wrapped through a logging configuration alone, as the benchmark does it; in a process of its own."""
    points = tmp_path / "points"
    configuration = {
        "version": 1,
        "filters": {"phases": {"()": "server.engine.phases.Phases", "path": str(points)}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "filters": ["phases"]}},
        "loggers": {"vllm": {"handlers": ["stderr"]}},
    }
    ran = subprocess.run(
        [sys.executable, "-c", CONFIGURE, json.dumps(configuration)], capture_output=True, text=True, timeout=120, check=False
    )
    assert ran.returncode == 0, ran.stderr[-3000:]
    assert "AsyncLLM.__init__" in ran.stdout
    assert "CPUModelRunner.load_model" in ran.stdout
    assert "EngineCore._initialize_kv_caches" in ran.stdout
    assert "LoRAModelRunnerMixin.load_lora_model" in ran.stdout
    assert [json.loads(line)["point"] for line in points.read_text().splitlines()][:1] == ["process"]
