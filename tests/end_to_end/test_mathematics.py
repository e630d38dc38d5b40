"""vLLM with our resolver computes what transformers and peft compute, token by token."""

import asyncio
import itertools
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

from adapters.evaluation.voices import held_out_messages
from adapters.registry import BlobStore
from server.engine.settings import EngineSettings, Quantization
from server.fleet.local import LocalEngine
from tests.end_to_end.admin import Admin
from tests.end_to_end.stack import COMMUNITIES, Stack

pytestmark = pytest.mark.engine
PROMPTS_EACH = 20
AGREEMENT = 0.97


@asynccontextmanager
async def engine(stack: Stack, folder: Path, quantization: Quantization) -> AsyncIterator[LocalEngine]:
    """An engine of its own beside the stack's, on the same adapters."""
    settings = EngineSettings(
        base=stack.base, home=folder, store_url=str(stack.store), quantization=quantization, socket=folder / "e.sock", lifeline=True
    )
    command = [sys.executable, "-m", "server.engine"]
    with tempfile.TemporaryDirectory(prefix="vllm-") as sockets:  # vLLM leaves its own there, whose paths have to be short
        environment = {**settings.environment(), "TMPDIR": sockets}
        running = LocalEngine(command, socket=folder / "e.sock", log=folder / "log", environment=environment)
        try:
            await running.start()
            yield running
        finally:
            await running.close()


async def vllm_top_tokens(running: LocalEngine, model: str, prompts: list[list[int]]) -> list[list[int]]:
    """The likeliest next token at each position of each prompt but the last, as vLLM sees it."""
    connector = aiohttp.UnixConnector(path=str(running.endpoint.socket))
    async with aiohttp.ClientSession(connector=connector) as session:

        async def ask(prompt: list[int]) -> list[int]:
            body = {"model": model, "prompt": prompt, "max_tokens": 1, "prompt_logprobs": 1, "temperature": 0}
            async with session.post("http://engine/v1/completions", json=body) as answer:
                assert answer.status == 200, await answer.text()
                positions: list[dict[str, dict[str, Any]]] = (await answer.json())["choices"][0]["prompt_logprobs"][1:]
            return [next(int(token) for token, seen in position.items() if seen["rank"] == 1) for position in positions]

        return await asyncio.gather(*(ask(prompt) for prompt in prompts))


def reference_top_tokens(base: Path, adapter: Path, prompts: list[list[int]]) -> list[list[int]]:
    """The same from transformers and peft, in the checkpoint's own bfloat16."""
    model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base, dtype=torch.bfloat16), adapter).eval()
    with torch.inference_mode():
        return [model(torch.tensor([prompt])).logits[0, :-1].argmax(-1).tolist() for prompt in prompts]


def agreement(first: list[list[int]], second: list[list[int]]) -> float:
    pairs = [pair for one, other in zip(first, second, strict=True) for pair in zip(one, other, strict=True)]
    return sum(a == b for a, b in pairs) / len(pairs)


async def test_vllm_agrees_with_transformers_and_peft(stack: Stack, tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    """Teacher-forced over held-out messages: at least 97 % of the top tokens are the same unquantized; NF4's figure is printed."""
    tokenizer = AutoTokenizer.from_pretrained(stack.base)
    published = BlobStore(str(stack.store))
    with Admin(stack) as admin:
        digests = {community: admin.live(community)["digest"].removeprefix("sha256:") for community in COMMUNITIES}
    found: dict[str, dict[str, float]] = {}
    for quantization in ("none", "bitsandbytes"):
        (folder := tmp_path / quantization).mkdir()
        async with engine(stack, folder, quantization) as running:
            for community in COMMUNITIES:
                said = held_out_messages(stack.demo / "exports" / community)
                prompts = [_prompt(tokenizer, *pair) for pair in itertools.pairwise(said)][:PROMPTS_EACH]
                seen = await vllm_top_tokens(running, f"{community}-{digests[community][:16]}", prompts)
                published.fetch(digests[community], folder / community)
                expected = await asyncio.to_thread(reference_top_tokens, stack.base, folder / community, prompts)
                found.setdefault(quantization, {})[community] = agreement(seen, expected)
    record_property("top tokens that agree with transformers + peft", found)
    assert all(share >= AGREEMENT for share in found["none"].values()), found


def _prompt(tokenizer: Any, question: str, reply: str) -> list[int]:
    chat = [{"role": "user", "content": question}, {"role": "assistant", "content": reply}]
    encoded: list[int] = tokenizer.apply_chat_template(chat, tokenize=True, return_dict=False)
    return encoded
