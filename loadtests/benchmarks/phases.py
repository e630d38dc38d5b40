"""What a start was spent on: points in time, in the order in which every start reaches them, and the phases between them. Pure.

The points come from `server/engine/phases.py`, which vLLM's processes write, and from the client that asked.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

PROCESSES = ("imported", "core", "worker")
"""What the first process has done when it reaches its first point, and what the others are."""

PHASES: Mapping[str, str] = {
    "imported": "imports of the API server",
    "inspected": "architecture inspected",
    "core": "engine core: process, imports",
    "worker": "worker: process, imports",
    "loading": "device set up",
    "weights": "weights loaded",
    "lora": "LoRA set up",
    "kv": "profiling, KV cache",
    "http": "HTTP up",
    "token": "first token, adapter loaded",
}
"""Milestone → the phase that ends with it, in their order. Every moment of a start belongs to one phase."""


@dataclass(frozen=True)
class Told:
    """A line of the file that vLLM's processes write."""

    point: str
    pid: int
    at: float


def read_points(text: str) -> list[Told]:
    return sorted((Told(**json.loads(line)) for line in text.splitlines()), key=lambda told: told.at)


def milestones(points: Sequence[Told], *, start: float, http: float, token: float) -> dict[str, float]:
    """When each milestone was reached, in seconds from the `start`. One that nobody told of is reached with the one before it.

    What was told before the start, by a host that forks, is no part of it.
    """
    reached: dict[str, float] = {"http": http, "token": token}
    later = [told for told in points if told.at >= start]
    for name, told in zip(PROCESSES, [told for told in later if told.point == "process"], strict=False):
        reached[name] = told.at
    server = next((told.pid for told in later if told.point == "process"), 0)
    configured = next((told.at for told in later if told.point == "configured"), token)
    for told in later:
        if told.point in PHASES and (told.point != "inspected" or (told.pid == server and told.at <= configured)):
            reached[told.point] = told.at
    found, last = {}, start
    for name in PHASES:
        last = max(last, reached.get(name, last))
        found[name] = last - start
    return found


def phases(reached: Mapping[str, float]) -> dict[str, float]:
    """Seconds of each phase; they sum up to the time of the first token."""
    spent, last = {}, 0.0
    for name in PHASES:
        spent[name] = reached[name] - last
        last = reached[name]
    return spent
