"""Commands as a shell calls them: in this process, or in one of their own where what is piped in is a real pipe."""

import asyncio
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from click.testing import CliRunner, Result

from clients.cli.main import main
from tests.clients.stub_gateway import KEY

PROGRAM = "from clients.cli.main import main; main(prog_name='troupe')"


@dataclass(frozen=True)
class Piped:
    """What a process wrote and how it ended."""

    exit_code: int
    stdout: str
    stderr: str


@dataclass(frozen=True)
class Shell:
    """`url` is the gateway's; `home` holds the state and the settings file of whoever calls."""

    url: str
    home: Path

    def environment(self, url: str | None = None, key: str | None = KEY) -> dict[str, str | None]:
        """Variables; those that are None are to be unset."""
        return {
            "TROUPE_URL": url or self.url,
            "TROUPE_API_KEY": key,
            "TROUPE_HOME": str(self.home),
            "TROUPE_BOT_TOKEN": None,
            "XDG_CONFIG_HOME": str(self.home / "config"),
        }

    async def run(
        self, *args: str, stdin: str | bytes | None = None, url: str | None = None, key: str | None = KEY, **more: str | None
    ) -> Result:
        """`troupe` with these arguments; `more` are further variables."""
        env = {**self.environment(url, key), **more}
        return await asyncio.to_thread(CliRunner().invoke, main, args, input=stdin, env=env)

    async def pipe(self, *args: str, stdin: bytes | int | None = None, more: Mapping[str, str] | None = None) -> Piped:
        """The same as a process, with `stdin` piped in (or taken from this file descriptor); `more` are further variables."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-c", PROGRAM, *args),
            stdin=stdin if isinstance(stdin, int) else asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={name: value for name, value in {**os.environ, **self.environment(), **(more or {})}.items() if value is not None},
        )
        out, err = await process.communicate(stdin if isinstance(stdin, bytes) else None)
        return Piped(process.returncode or 0, out.decode(), err.decode())
