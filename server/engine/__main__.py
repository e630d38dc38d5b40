"""`python -m server.engine`: settings → vLLM, in this very process.

    --standby   import everything, load nothing, and fork an engine when told to on standard input (see `control.py`)
    --dry-run   print vLLM's arguments and environment as JSON

Everything cheap is checked first. A refusal is one line on standard error that starts with `troupe-engine:`, and exit code 2.
"""

import gc
import importlib
import os
import sys
from typing import Any

import click
from setproctitle import setproctitle

from server.engine.control import Control
from server.engine.lifeline import end_with_standard_input
from server.engine.plan import Plan, Refused, make_plan
from server.engine.settings import ONE_THREAD
from server.engine.standby import Host, begin_engine

REFUSED = 2


@click.command()
@click.option("--standby", is_flag=True, help="Stay without a model, and fork an engine on demand.")
@click.option("--dry-run", is_flag=True, help="Print what vLLM would be told, as JSON, and exit.")
def main(standby: bool, dry_run: bool) -> None:
    """Serve the base with LoRA, as the TROUPE_ENGINE_* variables say."""
    if standby and not ONE_THREAD.items() <= os.environ.items():
        # Too late for what is imported by now: once more, from the start.
        os.execve(sys.executable, [sys.executable, "-m", "server.engine", "--standby"], {**os.environ, **ONE_THREAD})  # noqa: S606
    control = Control() if standby else None
    try:
        plan = make_plan()
    except Refused as exc:
        sys.stderr.write(f"troupe-engine: {exc}\n")
        if control:
            control.tell("refused", sentence=str(exc))
        sys.exit(REFUSED)
    if dry_run:
        click.echo(plan.to_json(dict(os.environ)))
        return
    if control is None:
        if plan.settings.lifeline:
            end_with_standard_input()
        begin_engine(plan.settings.shm)
    vllm, arguments = _with_vllm(plan, standby=standby)
    if control is not None and (code := Host(control).run()) is not None:
        sys.exit(code)
    vllm.serve(arguments)


def _with_vllm(plan: Plan, *, standby: bool) -> tuple[Any, Any]:
    """`server.engine.serve`, imported only now, as vLLM reads its environment while it is imported; and its arguments."""
    # It finds the place where titles are kept beside the environment, and only as long as that has not moved. That is not to be written
    # over: a supervisor tells by the environment which processes are its own.
    os.environ["SPT_NOENV"] = "1"
    setproctitle("troupe-standby" if standby else "troupe-engine")
    os.environ.clear()
    os.environ.update(plan.environment)
    gc.disable()  # seven thousand modules are made, and none of them is garbage: looking through them takes a fifth of the time
    vllm = importlib.import_module("server.engine.serve")
    arguments = vllm.prepare(plan.argv, plan.base.architecture, standby=standby)
    gc.freeze()
    gc.enable()
    return vllm, arguments


if __name__ == "__main__":
    main()
