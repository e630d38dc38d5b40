"""What has to be in place before anything is started: a home, a base, its adapters.

Every failure is a `StartError` or a `RegistryError`: one sentence that says what to do. Whatever was half done is done again by the
next start.
"""

import asyncio
import contextlib
import errno
import fcntl
import json
import os
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, RepositoryNotFoundError

from adapters.registry import Base, ModelRef, Registry, read_base, verified_path


class StartError(Exception):
    """Why this installation cannot start, and what to do about it."""


@dataclass(frozen=True)
class Stage:
    """What is served: the base, and the registry; `notes` say which communities are not, and why."""

    base: Base
    registry: Registry
    notes: tuple[str, ...] = ()


def open_home(home: Path) -> TextIO:
    """Make the home folder and take it for this process; keep the returned file open as long as it is used."""
    try:
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = (home / "lock").open("a")
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as exc:
        raise StartError(f"Another Troupe is running in {home}: stop it, or set TROUPE_HOME to another folder.") from exc
    except OSError as exc:
        raise StartError(f"{home} cannot be used ({os.strerror(exc.errno or errno.EIO)}): set TROUPE_HOME to a folder of yours.") from exc
    return lock


def listening_socket(host: str, port: int) -> socket.socket:
    """The gateway's listening socket, taken before any long work so that a port in use is found at once."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(2048)
    except OSError as exc:
        raise StartError(f"Cannot listen on {host}:{port} ({exc.strerror}): stop what uses it, or set TROUPE_PORT.") from exc
    return listener


async def prepare_demo(home: Path, quantization: str, *, max_rank: int) -> Stage:
    """Build the demo, or find it built, and publish its adapters as their communities' live ones."""
    if quantization not in ("bitsandbytes", "none"):
        raise StartError(f"The demo's base is not an {quantization} one: set TROUPE_ENGINE_QUANTIZATION to bitsandbytes, or TROUPE_BASE.")
    paths = await _run_demo_build(home)
    base, registry = read_base(Path(paths["base"]), quantization), Registry(home / "registry")
    try:
        for community, directory in paths["adapters"].items():
            manifest = registry.publish(community, Path(directory), base=base, max_rank=max_rank)
            live = registry.aliases(community).get("live")
            if live is None or registry.resolve(ModelRef(community)).base_fingerprint != base.fingerprint:
                registry.promote(community, manifest.version)
    except OSError as exc:
        raise StartError(f"The demo's adapters could not be stored ({exc.strerror}): make room in {home} and start again.") from exc
    return _checked(base, registry)


def prepare_base(home: Path, base: str, quantization: str) -> Stage:
    """Use the base that the operator named: a directory, or a model of the Hugging Face hub."""
    return _checked(read_base(_base_directory(base), quantization), Registry(home / "registry"))


def _base_directory(base: str, download: Callable[[str], str] = snapshot_download) -> Path:
    path = Path(base).expanduser()
    if path.exists() or base.startswith((".", "/", "~")) or base.count("/") != 1:
        return path
    try:
        return Path(download(base))
    except (RepositoryNotFoundError, HFValidationError, LocalEntryNotFoundError, HfHubHTTPError, OSError) as exc:
        raise StartError(
            f"{base} is no directory here, and the hub gave no such model ({type(exc).__name__}): check TROUPE_BASE and the network."
        ) from exc


def _checked(base: Base, registry: Registry) -> Stage:
    """Every live adapter that was made for this base is whole; a community whose adapter was made for another is only noted."""
    notes = []
    for community in registry.communities():
        if "live" not in registry.aliases(community):
            continue
        manifest = registry.resolve(ModelRef(community))
        if manifest.base_fingerprint != base.fingerprint:
            notes.append(f"{community} is not served: its live adapter (version {manifest.version}) was made for another base.")
            continue
        if verified_path(registry.adapters, manifest.engine_name) is None:
            raise StartError(f"The files of {community} version {manifest.version} are gone from {registry.adapters}: publish it again.")
    return Stage(base, registry, tuple(notes))


async def _run_demo_build(home: Path) -> dict[str, Any]:
    """The factory needs torch and this process must stay light: it runs in a process of its own, its progress on our terminal."""
    command = [sys.executable, "-m", "adapters.demo", "--lifeline", "--home", str(home)]
    pipe = asyncio.subprocess.PIPE
    build = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe)
    try:
        # Not `communicate`, which would close standard input: the build lives only as long as we hold it.
        said = await build.stdout.read() if build.stdout else b""
        await build.wait()
    except asyncio.CancelledError:
        with contextlib.suppress(ProcessLookupError):
            build.terminate()
        await build.wait()
        raise
    if build.returncode:
        raise StartError("The demo was not built; what went wrong is said above, and the next start takes it up again.")
    paths: dict[str, Any] = json.loads(said)
    return paths
