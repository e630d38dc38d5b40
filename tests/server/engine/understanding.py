"""`python -m tests.server.engine.understanding < ARGVS`: what the installed vLLM makes of arguments, and what it has, as JSON.

A process of its own: vLLM warns while it is imported.
"""

import json
import sys
from typing import get_args

from vllm.entrypoints.launchers import launcher
from vllm.model_executor.model_loader import LoadFormats
from vllm.tool_parsers import ToolParserManager
from vllm.v1.worker import startup_plan

from server.engine import serve

FIELDS = ("cudagraph_capture_sizes", "load_format", "enable_sleep_mode", "enable_auto_tool_choice", "tool_call_parser")


def main() -> None:
    arguments = [serve.parse(argv) for argv in json.load(sys.stdin)]
    understood = [
        {
            **{name: getattr(each, name) for name in FIELDS},
            "specialize": each.compilation_config.cudagraph_specialize_lora,
            "backend": each.structured_outputs_config.backend,
            "compact": each.structured_outputs_config.disable_any_whitespace,
        }
        for each in arguments
    ]
    print(
        json.dumps(
            {
                "understood": understood,
                "formats": get_args(LoadFormats),
                "parsers": ToolParserManager.list_registered(),
                "plan": str(startup_plan.__doc__),
                "watches": callable(launcher.watchdog_loop) and callable(launcher.terminate_if_errored),
            }
        )
    )


if __name__ == "__main__":
    main()
