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
import shutil
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, RepositoryNotFoundError

from adapters.registry import LIVE, Base, ModelRef, Registry, Snapshot, UnknownModel, read_base


class StartError(Exception):
    """Why this installation cannot start, and what to do about it."""


@dataclass(frozen=True)
class Stage:
    """What is served: the base, and the communities with a live adapter made for it; `notes` say which are not, and why."""

    base: Base
    communities: tuple[str, ...]
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


def empty_folder(path: Path) -> Path:
    """Make `path`, without what a killed run may have left in it."""
    try:
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir(mode=0o700, exist_ok=True)
    except OSError as exc:
        raise StartError(f"{path} cannot be made ({exc.strerror}): mend its permissions or make room.") from exc
    return path


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


async def prepare_demo(home: Path, registry: Registry, quantization: str, *, max_rank: int) -> Stage:
    """Build the demo, or find it built, and publish its adapters as their communities' live ones."""
    if quantization not in ("bitsandbytes", "none"):
        raise StartError(f"The demo's base is not an {quantization} one: set TROUPE_ENGINE_QUANTIZATION to bitsandbytes, or TROUPE_BASE.")
    paths = await _run_demo_build(home)
    base = read_base(Path(paths["base"]), quantization)
    for community, directory in paths["adapters"].items():
        manifest = await registry.publish(community, Path(directory), base=base, max_rank=max_rank, by="demo")
        if _live_fingerprint(await registry.snapshot(), community) != base.fingerprint:
            await registry.promote(community, manifest.version, by="demo")
    return _stage(base, await registry.snapshot())


async def prepare_base(registry: Registry, base: str, quantization: str) -> Stage:
    """Use the base that the operator named: a directory, or a model of the Hugging Face hub."""
    directory = await asyncio.to_thread(_base_directory, base)
    return _stage(read_base(directory, quantization), await registry.snapshot())


def _live_fingerprint(snapshot: Snapshot, community: str) -> str | None:
    """Of the base that the community's live adapter was made for; None without one."""
    try:
        return snapshot.resolve(ModelRef(community)).base_fingerprint
    except UnknownModel:
        return None


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


def _stage(base: Base, snapshot: Snapshot) -> Stage:
    served, notes = [], []
    for community in snapshot.communities():
        fingerprint = _live_fingerprint(snapshot, community)
        if fingerprint == base.fingerprint:
            served.append(community)
        elif fingerprint is not None:
            version = snapshot.pointers(community)[LIVE].version
            notes.append(f"{community} is not served: its live adapter (version {version}) was made for another base.")
    return Stage(base, tuple(served), tuple(notes))


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
