"""Measures our recipe beside the same recipe in TRL: the demo's base, the same examples, LoRA, learning rate and tokens a step.

    python -m tests.adapters.training.bench_training --demo '{"base": …, "exports": {…}}' [--examples 1000] [--rounds 3]

Each training runs in a process of its own, ours and TRL's in turn. The clocks run from the end of the first step to the end of the last;
CPU seconds are the figure that another load on the machine changes least. Memory is the largest size of the process. Both pack examples
into rows of at most 512 tokens and learn replies only; both adapters are then tried on the same held-out examples.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import torch
from datasets import Dataset as Table  # type: ignore[import-untyped]
from peft import LoraConfig, PeftModel
from rich.console import Console
from rich.table import Table as Shown
from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerCallback
from trl.trainer.sft_config import SFTConfig
from trl.trainer.sft_trainer import SFTTrainer

from adapters.conversation import CONTEXT_TURNS, Turn, to_chat
from adapters.curation.dataset import Dataset, Example
from adapters.registry.validation import LINEARS
from adapters.sources.source import open_source
from adapters.training.bases import open_renderer
from adapters.training.loss import learnt_logits, packed, weighted_nll
from adapters.training.machine import Machine, find_machine, peak_memory
from adapters.training.progress import TrainingProgress
from adapters.training.quiet import quiet_libraries
from adapters.training.recipe import TrainingRecipe
from adapters.training.record import ADAPTER
from adapters.training.rendering import lessons
from adapters.training.train import train

RECIPE = TrainingRecipe(
    method="lora",
    rank=8,
    alpha=16,
    dropout=0.0,
    learning_rate=3e-3,
    decay="linear",
    epochs=1,
    tokens=1024,
    context_tokens=512,
    checkpointing=False,
    held_out_examples=0,
    canaries=0,
)
"""The base in the format that this machine multiplies, as TRL on a CPU has no other; no looks at held-out examples, no canaries."""
HELD_OUT = 200
ROWS = RECIPE.tokens // RECIPE.context_tokens


def examples(export: Path, count: int) -> list[Example]:
    """Messages with what was said before them, all of weight 1."""
    with open_source(export).read() as read:
        messages = [message for message in read if message.text and not message.is_bot]
    made = []
    for place in range(CONTEXT_TURNS, len(messages)):
        target = messages[place]
        before = [each for each in messages[place - CONTEXT_TURNS : place] if each.author_id != target.author_id]
        if before:
            made.append(Example(tuple(Turn(each.author, each.text) for each in before), target.text, 1.0, target.id))
    return made[:count]


@dataclass
class Clock:
    """When steps ended: on the wall, and in CPU seconds of this process."""

    walls: list[float] = field(default_factory=list)
    processors: list[float] = field(default_factory=list)

    def tick(self) -> None:
        self.walls.append(time.perf_counter())
        self.processors.append(time.process_time())

    def measured(self, tokens: float, machine: Machine) -> dict[str, Any]:
        after_first = tokens * (len(self.walls) - 1) / len(self.walls)
        return {
            "tokens": round(tokens),
            "steps": len(self.walls),
            "tokens_per_second": after_first / (self.walls[-1] - self.walls[0]),
            "tokens_per_cpu_second": after_first / (self.processors[-1] - self.processors[0]),
            "peak_memory": peak_memory(machine),
        }


def ours(base: Path, chosen: Sequence[Example], machine: Machine, out: Path) -> dict[str, Any]:
    clock = Clock()

    def watch(seen: TrainingProgress) -> None:
        if seen.stage == "training":
            clock.tick()

    record = train(base, Dataset(tuple(chosen), (), {}), out, RECIPE, watch).record
    return clock.measured(record["tokens_per_second"] * record["seconds"], machine)


class Ticking(TrainerCallback):  # type: ignore[misc]
    def __init__(self, clock: Clock) -> None:
        self.clock = clock

    def on_step_end(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        self.clock.tick()


def trl(base: Path, chosen: Sequence[Example], machine: Machine, out: Path) -> dict[str, Any]:
    rows = [{"prompt": to_chat(each.turns), "completion": [{"role": "assistant", "content": each.target}]} for each in chosen]
    clock = Clock()
    trainer = SFTTrainer(
        model=AutoModelForCausalLM.from_pretrained(base, dtype=machine.dtype),
        processing_class=AutoTokenizer.from_pretrained(base),
        train_dataset=Table.from_list(rows),
        peft_config=LoraConfig(
            r=RECIPE.rank, lora_alpha=RECIPE.alpha, lora_dropout=0.0, target_modules=list(LINEARS), task_type="CAUSAL_LM"
        ),
        args=SFTConfig(
            output_dir=str(out),
            num_train_epochs=RECIPE.epochs,
            per_device_train_batch_size=ROWS,
            learning_rate=RECIPE.learning_rate,
            lr_scheduler_type="linear",
            warmup_steps=RECIPE.warmup,
            adam_beta2=0.98,
            max_grad_norm=RECIPE.clip,
            max_length=RECIPE.context_tokens,
            packing=True,
            completion_only_loss=True,
            gradient_checkpointing=False,
            bf16=machine.dtype == torch.bfloat16,
            use_cpu=not machine.is_cuda,
            logging_strategy="no",
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
            seed=RECIPE.seed,
        ),
        callbacks=[Ticking(clock)],
    )
    tokens = sum(len(ids) for ids in trainer.train_dataset["input_ids"])
    trainer.train()
    found = clock.measured(tokens, machine)
    trainer.save_model(str(out / ADAPTER))
    return found


def held_out_loss(base: Path, adapter: Path, chosen: Sequence[Example], machine: Machine) -> float:
    """Of a saved adapter, in nats per token of the replies."""
    renderer = open_renderer(base)
    learnt, _ = lessons(renderer, chosen, limit=RECIPE.context_tokens)
    model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base, dtype=machine.dtype), adapter).to(machine.device).eval()
    total = 0.0
    with torch.no_grad():
        for lesson in learnt:
            row = packed([lesson], machine.device)
            total += float(weighted_nll(learnt_logits(model, row), row))
    return total / sum(lesson.targets for lesson in learnt)


KINDS = {"ours": ours, "TRL": trl}


def one(arguments: argparse.Namespace) -> None:
    """A training of one kind, in this process."""
    demo = json.loads(arguments.demo)
    quiet_libraries()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    base, machine = Path(demo["base"]), find_machine()
    chosen = examples(Path(demo["exports"]["zizou"]), arguments.examples + HELD_OUT)
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch) / "run"
        found = KINDS[arguments.kind](base, chosen[:-HELD_OUT], machine, out)
        found["held_out"] = held_out_loss(base, out / ADAPTER, chosen[-HELD_OUT:], machine)
    print(json.dumps(found))


def main() -> None:
    """Ours and TRL's in turn, and a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--demo", required=True, help="what `python -m adapters.demo` says")
    parser.add_argument("--examples", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=0, help="0: as many as torch takes by itself")
    parser.add_argument("--kind", choices=list(KINDS), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.kind:
        one(arguments)
        return
    found: dict[str, list[dict[str, Any]]] = {kind: [] for kind in KINDS}
    for place in range(arguments.rounds):
        for kind in KINDS if place % 2 == 0 else reversed(KINDS):
            print(f"Round {place + 1} of {arguments.rounds}: {kind} …", file=sys.stderr)
            more = ["--kind", kind, "--demo", arguments.demo, "--examples", str(arguments.examples), "--threads", str(arguments.threads)]
            done = subprocess.run([sys.executable, "-m", __spec__.name, *more], capture_output=True, text=True, check=False)
            if done.returncode:
                sys.exit(done.stderr)
            found[kind].append(json.loads(done.stdout.splitlines()[-1]))
    table = Shown("", "tokens/s", "each round", "per CPU second", "peak memory", "steps", "tokens", "held-out loss")
    for kind, rounds in found.items():
        speeds = [each["tokens_per_second"] for each in rounds]
        table.add_row(
            kind,
            f"{median(speeds):,.0f}",
            ", ".join(f"{speed:,.0f}" for speed in speeds),
            f"{median(each['tokens_per_cpu_second'] for each in rounds):,.0f}",
            f"{median(each['peak_memory'] for each in rounds) / 1e6:,.0f} MB",
            str(rounds[0]["steps"]),
            f"{rounds[0]['tokens']:,}",
            f"{median(each['held_out'] for each in rounds):.3f}",
        )
    Console(width=140).print(table)


if __name__ == "__main__":
    main()
