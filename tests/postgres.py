"""A real PostgreSQL server for tests: a cluster in a temporary folder, on a free port of this machine, gone afterwards."""

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

USER = "troupe"


class PostgresServer:
    """Databases in one running server; `url` of a new, empty one from `database()`."""

    def __init__(self, bindir: Path, port: int) -> None:
        self._bindir = bindir
        self._port = port
        self._made = 0

    def database(self) -> str:
        self._made += 1
        name = f"test_{os.getpid()}_{self._made}"
        subprocess.run([self._bindir / "createdb", *self._at(), name], check=True)
        return f"postgresql://{USER}@127.0.0.1:{self._port}/{name}"

    def is_ready(self) -> bool:
        return subprocess.run([self._bindir / "pg_isready", "-q", *self._at()], check=False).returncode == 0

    def _at(self) -> list[str]:
        return ["-h", "127.0.0.1", "-p", str(self._port), "-U", USER]


@contextlib.contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    """Start one, as another user where this is root, which PostgreSQL refuses to run as."""
    bindir = _bindir()
    folder = Path(tempfile.mkdtemp(prefix="troupe-postgres-"))
    user = "nobody" if os.geteuid() == 0 else None
    if user:
        os.chown(folder, pwd.getpwnam(user).pw_uid, -1)
    initdb: list[str | Path] = [
        bindir / "initdb",
        "-D",
        folder / "data",
        "-U",
        USER,
        "--auth=trust",
        "--no-sync",
        "--encoding=UTF8",
        "--locale=C",
    ]
    subprocess.run(initdb, check=True, user=user, cwd=folder, stdout=subprocess.DEVNULL)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = {"port": port, "listen_addresses": "127.0.0.1", "unix_socket_directories": folder, "fsync": "off", "max_connections": 50}
    command: list[str | Path] = [bindir / "postgres", "-D", folder / "data", *(f"--{name}={value}" for name, value in options.items())]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, user=user, cwd=folder, stdout=log, stderr=log)
    server = PostgresServer(bindir, port)
    try:
        deadline = time.monotonic() + 60
        while not server.is_ready():
            if process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError((folder / "log").read_text())
            time.sleep(0.05)
        yield server
    finally:
        process.terminate()  # "smart": it would wait for clients, which are gone
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _bindir() -> Path:
    """Debian keeps the server's programs away from the path."""
    found = [Path(path) for path in (shutil.which("initdb"),) if path]
    found += sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), reverse=True)
    assert found, "PostgreSQL's server is not on this machine: install the package `postgresql`."
    return found[0].resolve().parent
