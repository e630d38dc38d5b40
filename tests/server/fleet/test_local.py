import asyncio
import os
import signal
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from server.fleet.engine import EngineState
from server.fleet.local import LocalEngine, Timing

ENGINE = """
import http.server, os, signal, socketserver, subprocess, sys, threading
child = subprocess.Popen([sys.executable, "-c", "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); signal.pause()"])
open(sys.argv[2], "w").write(f"{child.pid}")
class Handler(http.server.BaseHTTPRequestHandler):
    def address_string(self): return ""
    def do_GET(self):
        self.send_response(200); self.end_headers()
class Server(socketserver.ThreadingUnixStreamServer):
    pass
server = Server(sys.argv[1], Handler)
if "--ignore-term" in sys.argv: signal.signal(signal.SIGTERM, signal.SIG_IGN)
def lifeline():
    while os.read(0, 64): pass
    os.killpg(0, signal.SIGKILL)
threading.Thread(target=lifeline, daemon=True).start()
server.serve_forever()
"""
FAST = Timing(start=20, poll=0.02, stop=1.0, backoff=(0.05, 0.1))


def make_engine(folder: Path, code: str, *arguments: str, timing: Timing = FAST) -> LocalEngine:
    script = folder / "engine.py"
    script.write_text(textwrap.dedent(code))
    socket = folder / "e.sock"
    command = [sys.executable, str(script), str(socket), str(folder / "child"), *arguments]
    return LocalEngine(command, socket=socket, log=folder / "engine.log", timing=timing)


async def until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.02)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def test_an_engine_is_started_watched_and_ended_whole(tmp_path: Path) -> None:
    """After stop neither the process nor its children nor its socket is left, however they treat SIGTERM."""
    engine = make_engine(tmp_path, ENGINE, "--ignore-term")
    assert engine.state is EngineState.ASLEEP
    await engine.start()
    await until(lambda: engine.state is EngineState.READY)
    pids = [engine.process_id or 0, int((tmp_path / "child").read_text())]
    assert all(alive(pid) for pid in pids)
    await engine.stop()
    await until(lambda: not any(alive(pid) for pid in pids))
    assert engine.state is EngineState.ASLEEP
    assert not (tmp_path / "e.sock").exists()


async def test_a_killed_engine_is_not_ready_and_comes_back(tmp_path: Path) -> None:
    """Its state says so at once, its leftovers are ended, and another one is started."""
    engine = make_engine(tmp_path, ENGINE)
    await engine.start()
    await until(lambda: engine.state is EngineState.READY)
    first, child = engine.process_id or 0, int((tmp_path / "child").read_text())
    os.kill(first, signal.SIGKILL)
    await until(lambda: engine.state is not EngineState.READY, 2.0)
    await until(lambda: "SIGKILL" in str(engine.failure), 2.0)
    await until(lambda: engine.state is EngineState.READY)
    assert engine.process_id != first
    assert engine.failure is None
    assert not alive(child)
    await engine.stop()


async def test_a_refusal_is_told_in_the_engine_s_own_words_and_not_tried_again(tmp_path: Path) -> None:
    """Exit code 2 means that the settings are wrong; the sentence after `troupe-engine:` is the failure."""
    engine = make_engine(tmp_path, "import sys; print('noise'); print('troupe-engine: No such base.', file=sys.stderr); sys.exit(2)")
    await engine.start()
    await until(lambda: engine.state is EngineState.FAILED)
    assert engine.failure == "No such base."
    await asyncio.sleep(0.3)
    assert engine.process_id is None
    await engine.stop()


async def test_a_command_that_is_not_there_fails_in_a_sentence(tmp_path: Path) -> None:
    """No traceback, and stop still works."""
    engine = LocalEngine([str(tmp_path / "nothing")], socket=tmp_path / "s", log=tmp_path / "log", timing=FAST)
    await engine.start()
    await until(lambda: engine.state is EngineState.FAILED)
    assert engine.failure is not None
    assert "could not be started" in engine.failure
    await engine.stop()


async def test_an_engine_that_never_answers_is_given_up(tmp_path: Path) -> None:
    """The failure says after how long, and where its log is."""
    timing = Timing(start=0.3, poll=0.02, stop=0.2, backoff=(60,))
    engine = make_engine(tmp_path, "import time; time.sleep(60)", timing=timing)
    await engine.start()
    await until(lambda: engine.state is EngineState.FAILED)
    assert engine.failure is not None
    assert str(tmp_path / "engine.log") in engine.failure
    await engine.stop()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
async def test_no_engine_outlives_its_supervisor(tmp_path: Path, how: signal.Signals) -> None:
    """Its standard input ends with us, and it watches that."""
    (tmp_path / "engine.py").write_text(textwrap.dedent(ENGINE))
    supervisor = textwrap.dedent(f"""
        import asyncio
        from pathlib import Path
        from tests.server.fleet.test_local import ENGINE, make_engine
        async def main():
            engine = make_engine(Path({str(tmp_path)!r}), ENGINE)
            await engine.start()
            await asyncio.sleep(60)
        asyncio.run(main())
    """)
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", supervisor)
    await until(lambda: (tmp_path / "child").exists() and (tmp_path / "child").read_text() != "" and (tmp_path / "e.sock").exists())
    child = int((tmp_path / "child").read_text())
    process.send_signal(how)
    await process.wait()
    await until(lambda: not alive(child))
    assert not alive(child)
