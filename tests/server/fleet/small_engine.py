"""`python -m tests.server.fleet.small_engine SOCKET [--standby] …`: what `LocalEngine` sees of vLLM, without vLLM.

A server on a unix socket, a forked worker, a block of shared memory that nobody removes, and a temporary file; or, with `--standby`, the
real host, which forks that.
"""

import argparse
import os
import signal
import socketserver
import sys
import tempfile
import time
from http.server import BaseHTTPRequestHandler
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path

from server.engine.control import Control
from server.engine.lifeline import end_with_standard_input
from server.engine.standby import Host, begin_engine

NEVER = 3600


class Health(BaseHTTPRequestHandler):
    def address_string(self) -> str:
        return ""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("socket", type=Path)
    parser.add_argument("--standby", action="store_true")
    parser.add_argument("--ignore-term", action="store_true")
    parser.add_argument("--silent", action="store_true")
    parser.add_argument("--refuse", default="")
    parser.add_argument("--die-early", action="store_true")
    parser.add_argument("--host-dies", type=Path)
    parser.add_argument("--untouchable", default="")
    told = parser.parse_args()
    if told.host_dies and not told.host_dies.exists():
        told.host_dies.touch()
        sys.exit("the first one is no good")
    if told.standby:
        code = Host(Control(), (lambda: told.untouchable or None)).run()
        if code is not None:
            sys.exit(code)
    else:
        begin_engine(os.environ["TROUPE_ENGINE_SHM"])
        end_with_standard_input()
    serve(told)


def serve(told: argparse.Namespace) -> None:
    if told.refuse:
        print("noise")
        print(f"troupe-engine: {told.refuse}", file=sys.stderr)
        sys.exit(2)
    memory = SharedMemory(create=True, size=4096)
    Path(tempfile.gettempdir(), "of-the-engine").touch()
    worker = os.fork()
    if worker == 0:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(NEVER)
        os._exit(0)
    print(f"worker {worker} memory {memory.name}", flush=True)
    if told.die_early:
        os.kill(os.getpid(), signal.SIGKILL)
    if told.ignore_term:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if told.silent:
        time.sleep(NEVER)
    socketserver.ThreadingUnixStreamServer(str(told.socket), Health).serve_forever()


if __name__ == "__main__":
    main()
