import errno
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from adapters.demo.build import COMMUNITIES, DemoError, Progress, build_demo
from adapters.demo.recipe import DemoRecipe, Training, content_hash
from adapters.registry.base import read_base

TINY = DemoRecipe(
    messages=120,
    vocabulary=512,
    hidden=64,
    layers=1,
    intermediate=64,
    context_length=512,
    base=Training(examples=40, epochs=1, tokens=1024, learning_rate=1e-3, muon_rate=0.02),
    adapter=Training(examples=10, epochs=1, tokens=1024, learning_rate=1e-3),
)


def silent(stage: str, done: int, total: int) -> None:
    assert stage in {"exports", "base", *COMMUNITIES}
    assert 0 <= done <= total


def fill(out: Path, final: Path, recipe: DemoRecipe, progress: Progress) -> None:
    """A build without training."""
    assert not final.exists()
    (out / "base").mkdir()
    (out / "base" / "config.json").write_text("{}")


def failing(error: BaseException) -> Callable[[Path, Path, DemoRecipe, Progress], None]:
    def stop(out: Path, final: Path, recipe: DemoRecipe, progress: Progress) -> None:
        fill(out, final, recipe, progress)
        raise error

    return stop


def test_a_tiny_demo_has_all_its_parts_and_is_found_again(tmp_path: Path) -> None:
    """The real steps at a small size: a base, an adapter and an export per community; the second call builds nothing."""
    stages: list[str] = []
    demo = build_demo(tmp_path, lambda stage, done, total: stages.append(stage), TINY)
    assert {*stages} == {"exports", "base", *COMMUNITIES}
    assert (demo.base / "model.safetensors").is_file()
    for name in COMMUNITIES:
        files = sorted(path.name for path in demo.adapters[name].iterdir())
        assert files == ["adapter_config.json", "adapter_model.safetensors"]
        config = json.loads((demo.adapters[name] / "adapter_config.json").read_text())
        assert config["base_model_name_or_path"] == read_base(demo.base, "bitsandbytes").fingerprint
        assert len(list(demo.exports[name].glob("*.json"))) == 2
    assert build_demo(tmp_path, silent, TINY, failing(AssertionError("built twice"))) == demo


@pytest.mark.parametrize("error", [KeyboardInterrupt(), RuntimeError("no")])
def test_an_interrupted_build_leaves_nothing_and_the_next_one_works(tmp_path: Path, error: BaseException) -> None:
    """What was half built is gone, so nothing can be taken for a demo."""
    with pytest.raises(type(error)):
        build_demo(tmp_path, silent, TINY, failing(error))
    assert [path.name for path in (tmp_path / "demo").iterdir()] == [".lock"]
    assert (build_demo(tmp_path, silent, TINY, fill).base / "config.json").is_file()


def test_what_a_killed_build_left_is_cleaned_up(tmp_path: Path) -> None:
    """A killed process cannot clean up behind itself: the next build does."""
    left = tmp_path / "demo" / ".unfinished-0123456789abcdef"
    left.mkdir(parents=True)
    (left / "half").write_text("half")
    demo = build_demo(tmp_path, silent, TINY, fill)
    assert sorted(path.name for path in (tmp_path / "demo").iterdir()) == [".lock", demo.base.parent.name]


def test_a_full_disk_is_one_sentence(tmp_path: Path) -> None:
    """The sentence says where there is no room and what to set."""
    with pytest.raises(DemoError, match=r"No space left on device.*TROUPE_HOME\.$"):
        build_demo(tmp_path, silent, TINY, failing(OSError(errno.ENOSPC, "No space left on device")))


def test_a_home_that_is_a_file_is_one_sentence(tmp_path: Path) -> None:
    """A path that cannot hold anything is an error of the same kind."""
    (tmp_path / "home").write_text("")
    with pytest.raises(DemoError, match="could not be written"):
        build_demo(tmp_path / "home", silent, TINY, fill)


def test_the_cache_key_follows_the_recipe() -> None:
    """The same recipe is the same demo; any other number makes another."""
    assert content_hash(TINY) == content_hash(replace(TINY))
    assert content_hash(TINY) != content_hash(replace(TINY, seed=TINY.seed + 1))


def test_finding_a_demo_needs_no_torch(tmp_path: Path) -> None:
    """The command prints one line of JSON on stdout, in a process that never imports torch."""
    expected = build_demo(tmp_path, silent, fill=fill)
    code = "import sys, runpy; sys.argv = ['demo', '--home', sys.argv[1]]\ntry: runpy.run_module('adapters.demo', run_name='__main__')"
    code += "\nexcept SystemExit as end: assert not end.code\nassert 'torch' not in sys.modules and 'transformers' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    printed = json.loads(done.stdout)
    assert printed["base"] == str(expected.base)
    assert printed["exports"] == {name: str(path) for name, path in expected.exports.items()}


def test_an_error_is_an_exit_status_and_one_sentence(tmp_path: Path) -> None:
    """Nothing on stdout, one line on stderr, status 1."""
    (tmp_path / "home").write_text("")
    command = [sys.executable, "-m", "adapters.demo", "--home", str(tmp_path / "home" / "below")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (1, "", 1)
