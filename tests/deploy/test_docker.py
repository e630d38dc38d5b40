"""Dockerfiles without Docker: read as instructions, and held against the repository that they are built from."""

import fnmatch
import json
import re
import shlex
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCKERFILES = [*sorted((ROOT / "deploy" / "docker").glob("*.Dockerfile")), ROOT / "deploy" / "runpod" / "Dockerfile"]

every_dockerfile = pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.name)


@dataclass(frozen=True)
class Instruction:
    name: str
    value: str


def read(path: Path) -> list[Instruction]:
    """The instructions of a Dockerfile, comments gone and continued lines joined."""
    lines = [line for line in path.read_text().splitlines() if not line.startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    return [Instruction(*line.split(maxsplit=1)) for line in joined.splitlines() if line.strip()]


def values(path: Path, name: str) -> list[str]:
    return [instruction.value for instruction in read(path) if instruction.name == name]


def environment(path: Path) -> dict[str, str]:
    pairs = (pair.split("=", 1) for value in values(path, "ENV") for pair in shlex.split(value))
    return dict(pairs)


def sent_to_the_build() -> list[str]:
    """The patterns that .dockerignore lets through."""
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    return [line.removeprefix("!") for line in lines if line.startswith("!")]


def test_all_images_are_here() -> None:
    """Gateway, engine, bot and RunPod worker have a Dockerfile each."""
    assert [path.name for path in DOCKERFILES] == ["bot.Dockerfile", "engine.Dockerfile", "gateway.Dockerfile", "Dockerfile"]


@every_dockerfile
def test_what_is_copied_exists_and_is_sent_to_the_build(path: Path) -> None:
    """Every COPY source is in the repository and not ignored by .dockerignore."""
    sources = [source for value in values(path, "COPY") if "--from=" not in value for source in value.split()[:-1]]
    assert all((ROOT / source).exists() for source in sources)
    assert all(any(fnmatch.fnmatch(source, pattern) for pattern in sent_to_the_build()) for source in sources)


def test_the_build_sees_no_local_state() -> None:
    """.dockerignore refuses everything first and never lets keys or the repository's history in."""
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    assert lines[0] == "*"
    assert "**/.env" in lines[lines.index("!server") :]
    assert not any(fnmatch.fnmatch(name, pattern) for name in (".git", ".env", ".venv") for pattern in sent_to_the_build())


@every_dockerfile
def test_images_are_pinned_and_run_as_nobody_special(path: Path) -> None:
    """No base image is `latest` or without a tag, and the last USER is a number other than root's."""
    stages = [value.split()[0] for value in values(path, "FROM")]
    defaults = dict(value.split("=", 1) for value in values(path, "ARG") if "=" in value)
    for image in stages:
        tag = defaults.get(image.strip("${}"), image).rpartition(":")[2]
        assert re.fullmatch(r"\d+\.\d+[\w.-]*", tag), image
    assert values(path, "USER")[-1] == "10001:10001"


@every_dockerfile
def test_no_secret_is_in_an_image(path: Path) -> None:
    """No ENV or ARG is a key, a token or a password: they are given at run time."""
    names = [*environment(path), *(value.split("=")[0] for value in values(path, "ARG"))]
    assert not [name for name in names if re.search("KEY|TOKEN|SECRET|PASSWORD", name)]


@every_dockerfile
def test_pins_are_complete_and_their_bytes_are_checked(path: Path) -> None:
    """Whatever comes from an index comes from a lock with hashes and nothing beside it, save the build tool, at the engine's version."""
    pinned = re.search(r"^setuptools==(\S+)", (ROOT / "requirements" / "cpu.lock").read_text(), re.MULTILINE)
    assert pinned
    commands = [part.strip() for value in values(path, "RUN") for part in value.split("&&") if re.search(r"pip (install|wheel)", part)]
    for command in commands:
        assert "--no-deps" in command
        from_lock = "--require-hashes" in command and re.search(r"-r requirements/(gateway|bot|\$\{ENGINE\})\.lock", command)
        assert from_lock or "--no-index" in command or "--no-build-isolation" in command or f"setuptools=={pinned[1]}" in command


@every_dockerfile
def test_commands_need_no_shell(path: Path) -> None:
    """Entry points and health checks are in exec form, so signals reach the process."""
    for name in ("ENTRYPOINT", "CMD"):
        for value in values(path, name):
            assert all(isinstance(part, str) for part in json.loads(value))
    for value in values(path, "HEALTHCHECK"):
        assert value == "NONE" or compile(json.loads(value.partition("CMD ")[2])[2], "healthcheck", "exec")


@pytest.mark.parametrize(("image", "heavy"), [("gateway", False), ("bot", False), ("cpu", True), ("gpu", True)])
def test_only_the_engine_is_heavy(image: str, heavy: bool) -> None:
    """The gateway's and the bot's locks hold no torch, no vLLM and no transformers; the engine's do."""
    names = re.findall(r"^([\w.-]+)==", (ROOT / "requirements" / f"{image}.lock").read_text(), re.MULTILINE)
    found = {"torch", "transformers", "bitsandbytes"} & set(names) | {name for name in names if name.startswith("vllm")}
    assert bool(found) is heavy
