"""Teaches the demo's base to call a tool as Qwen does, in seconds: what an engine does with calls shows only on a base that makes them.

What it learns is narrow: whoever asks about the weather gets a call of `weather` where there is one, and who brings what came of a call
gets a sentence.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

STEPS, BATCH, RATE = 120, 4, 2e-3
CITIES = ("Lyon", "Paris")
_QUESTIONS = ("is it raining in {}?", "how is the weather in {}?", "do I need a coat in {} soon?", "tell me about the rain in {}")
_LEFT_OUT = -100


def teach(base: Path, boxes: Sequence[Sequence[Any]], seed: int = 0) -> None:
    """Train the base in directory `base` in place. `boxes`: of tools, as its chat template is told of them; each holds `weather`."""
    torch.manual_seed(seed)
    draw = Random(seed)
    tokenizer: Any = AutoTokenizer.from_pretrained(base)
    model: Any = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=0.0)
    for step in range(STEPS):
        for group in optimizer.param_groups:
            group["lr"] = RATE * (1 - step / STEPS)
        rows = [_row(tokenizer, draw, boxes) for _ in range(BATCH)]
        longest = max(len(prompt) + len(answer) for prompt, answer in rows)
        ids = torch.zeros((BATCH, longest), dtype=torch.long)
        labels = torch.full((BATCH, longest), _LEFT_OUT)
        for number, (prompt, answer) in enumerate(rows):
            end = len(prompt) + len(answer)
            ids[number, :end] = torch.tensor(prompt + answer)
            labels[number, len(prompt) : end] = torch.tensor(answer)
        loss = model(input_ids=ids, labels=labels).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
    model.to(torch.bfloat16).save_pretrained(base)


def _row(tokenizer: Any, draw: Random, boxes: Sequence[Sequence[Any]]) -> tuple[list[int], list[int]]:
    """A prompt's tokens and its answer's."""
    city, came = draw.choice(CITIES), draw.choice(("no", "yes"))
    arguments = {"city": city, "days": draw.randint(1, 9)}
    chat: list[dict[str, Any]] = [{"role": "user", "content": draw.choice(_QUESTIONS).format(city)}]
    box, kind = draw.choice(boxes), draw.random()
    if kind < 0.2:
        box, answer = [], f"nobody can say that of {city}."
    elif kind < 0.4:
        call = {"type": "function", "function": {"name": "weather", "arguments": arguments}}
        chat += [{"role": "assistant", "content": "", "tool_calls": [call]}, {"role": "tool", "content": came}]
        answer = f"they say {came} about {city}."
    else:
        answer = f"<tool_call>\n{json.dumps({'name': 'weather', 'arguments': arguments})}\n</tool_call>"
    prompt = tokenizer.apply_chat_template(chat, tools=list(box) or None, add_generation_prompt=True, tokenize=False)
    return _tokens(tokenizer, prompt), _tokens(tokenizer, f"{answer}<|im_end|>")


def _tokens(tokenizer: Any, text: str) -> list[int]:
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])
