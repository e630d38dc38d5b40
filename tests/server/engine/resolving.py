"""vLLM's own table of models, our resolver and our middleware, with no engine behind: prints what becomes of a request for each name.

In a process of its own: vLLM changes loggers, signal handlers and the environment of whoever imports it.
"""

import asyncio
import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from vllm.entrypoints.openai.models.protocol import BaseModelPath
from vllm.entrypoints.openai.models.serving import OpenAIServingModels
from vllm.lora.request import LoRARequest
from vllm.lora.resolver import LoRAResolverRegistry

from server.engine.in_flight import Message, Receive, Scope, Send
from server.engine.resolver import AdaptersInFlight, register


async def request(models: Any, name: str) -> str | None:
    """The path that vLLM is given for `name`, as a request for it would get it."""
    found: list[str | None] = []

    async def app(_scope: Scope, _receive: Receive, _send: Send) -> None:
        answer = await models.resolve_lora(name)
        found.append(answer.lora_path if isinstance(answer, LoRARequest) else None)
        if found[0] is not None:
            assert Path(found[0]).is_dir()  # noqa: ASYNC240  a test, and nobody else is on this loop
            assert models.lora_requests[name].lora_path == found[0]

    async def receive() -> Message:
        return {"type": "http.request", "body": json.dumps({"model": name}).encode(), "more_body": False}

    async def send(_message: Message) -> None: ...

    scope = {"type": "http", "method": "POST", "app": SimpleNamespace(state=SimpleNamespace(openai_serving_models=models))}
    await AdaptersInFlight(app)(scope, receive, send)
    return found[0]


async def main() -> None:
    register()
    resolver = LoRAResolverRegistry.get_resolver("troupe")

    async def add_lora(_request: LoRARequest) -> None: ...

    engine = SimpleNamespace(model_config=SimpleNamespace(model="/base"), renderer=None, input_processor=None, add_lora=add_lora)
    models = OpenAIServingModels(engine, [BaseModelPath(name="base", model_path="/base")])
    uncounted = await resolver.resolve_lora("/base", sys.argv[1])
    paths = {name: await request(models, name) for name in sys.argv[1:]}
    print(
        json.dumps({"uncounted": uncounted, "paths": paths, "known": list(models.lora_requests), "locks": list(models.lora_resolver_lock)})
    )


asyncio.run(main())
