"""Fuzzes the header check and the configuration check.

    python -m tests.adapters.registry.fuzz_header --minutes 10

Starts from the cases in `corpus/` and keeps whatever is refused in a new way, or accepted. Anything but an InvalidAdapter of one short
sentence is a finding: another exception, more than a second, or a header that we accept and the safetensors library does not read alike.
Findings are written into `corpus/`, where the tests run them from then on.
"""

import argparse
import hashlib
import io
import random
import re
import resource
import signal
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import NoReturn

import safetensors

from adapters.registry.base import Base
from adapters.registry.errors import InvalidAdapter
from adapters.registry.lora_config import LoraConfig, read_config
from adapters.registry.safetensors_header import read_header
from adapters.registry.serving_copy import rounded
from adapters.registry.validation import check_tensors
from tests.adapters.registry.mutations import mutated

CORPUS = Path(__file__).parent / "corpus"
SLOW_S = 1.0
HUNG_S = 30
_MOST_KEPT = 2000
_LONGEST_KEPT = 16 << 10

BASE = Base(
    path=Path(), architecture="Qwen3ForCausalLM", revision="r", quantization="none", tokenizer="t", context_length=64, vocab_size=16,
    layers=1, kv_bytes_per_token=16, shapes={"model.layers.0.self_attn.q_proj": (4, 4), "model.layers.0.mlp.up_proj": (8, 4)},
)  # fmt: skip
CONFIG = LoraConfig(rank=2, alpha=4, target_modules=("q_proj", "up_proj"), use_rslora=False)


class Finding(Exception):
    """What should not have happened."""


def run_header(case: bytes) -> str:
    """Check `case` as a weights file; the way it was refused or accepted. Raises Finding, or whatever the check raises."""
    file = io.BytesIO(case)
    try:
        header = read_header(file)
    except InvalidAdapter as exc:
        return _refusal(exc)
    read = {name: (entry["dtype"], tuple(entry["shape"]), bytes(entry["data"])) for name, entry in safetensors.deserialize(case)}  # type: ignore[no-untyped-call]
    ours = {t.name: (t.dtype, t.shape, case[header.start + t.span[0] : header.start + t.span[1]]) for t in header.tensors}
    if read != ours:
        raise Finding("The library reads other tensors than we do.")
    try:
        check_tensors(header.tensors, CONFIG, BASE)
        for tensor in header.tensors:
            for _ in rounded(file, header.start, tensor):
                pass
    except InvalidAdapter as exc:
        return "header accepted: " + _refusal(exc)
    return f"accepted, {len(header.tensors)} tensors"


def run_config(case: bytes) -> str:
    """Check `case` as a configuration; the way it was refused or accepted. Raises Finding, or whatever the check raises."""
    try:
        config = read_config(case, base_fingerprint=BASE.fingerprint, max_rank=8)
    except InvalidAdapter as exc:
        return _refusal(exc)
    again = read_config(config.canonical(BASE.fingerprint), base_fingerprint=BASE.fingerprint, max_rank=8)
    if again != config:
        raise Finding("What we write is not read as what it was.")
    return f"accepted, {config.use_rslora} {len(config.target_modules)}"


def _refusal(exc: InvalidAdapter) -> str:
    sentence = str(exc)
    if "\n" in sentence or len(sentence) >= 400 or not exc.field.isascii() or not exc.field.isprintable():
        raise Finding(f"The refusal is not one short sentence: {sentence!r}") from exc
    return re.sub(r"[0-9.]+", "0", re.split(r"['\"\[{]", sentence)[0])[:80]


Check = Callable[[bytes], str]
"""Tells the way that a case took; what it raises is a finding."""

TARGETS: Mapping[str, Check] = {"header": run_header, "config": run_config}


@dataclass
class Report:
    """What a run did. `findings`: (target, case, what happened)."""

    executions: int = 0
    slowest_s: float = 0.0
    ways: set[str] = field(default_factory=set)
    findings: list[tuple[str, bytes, str]] = field(default_factory=list)


def seeds(target: str) -> list[bytes]:
    return [path.read_bytes() for path in sorted((CORPUS / target).iterdir())]


def run_case(target: str, check: Check, case: bytes, report: Report) -> bool:
    """Run one case and write it down; whether it took a way that no case before it took."""
    start = time.thread_time()
    problem = ""
    way = ""
    try:
        way = f"{target}: {check(case)}"
    except Exception as exc:  # noqa: BLE001  any exception at all is what is searched for
        problem = repr(exc)[:300]
    took = time.thread_time() - start
    report.executions += 1
    report.slowest_s = max(report.slowest_s, took)
    if took > SLOW_S:
        problem = problem or f"took {took:.1f} s"
    if problem:
        report.findings.append((target, case, problem))
    new = bool(way) and way not in report.ways
    report.ways.add(way)
    return new


def fuzz(go_on: Callable[[Report], bool], *, seed: int, targets: Mapping[str, Check] = TARGETS) -> Report:
    """Run every case of the corpus, then mutations of them for as long as `go_on` says. The same seed draws the same cases."""
    draw, report = random.Random(seed), Report()
    pools = {target: seeds(target) for target in targets}
    for target, pool in pools.items():
        for case in pool:
            run_case(target, targets[target], case, report)
    names = sorted(targets)
    while go_on(report):
        target = draw.choice(names)
        pool = pools[target]
        case = mutated(draw, pool, prefixed=target == "header")
        if run_case(target, targets[target], case, report) and len(pool) < _MOST_KEPT and len(case) <= _LONGEST_KEPT:
            pool.append(case)
    return report


def _hung(number: int, frame: FrameType | None) -> NoReturn:
    raise Finding(f"No answer in {HUNG_S} s")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10, help="of processor time")
    parser.add_argument("--seed", type=int, default=0)
    told = parser.parse_args()
    signal.signal(signal.SIGALRM, _hung)

    def go_on(report: Report) -> bool:
        signal.alarm(HUNG_S)
        return time.process_time() < 60 * told.minutes and len(report.findings) < 20

    report = fuzz(go_on, seed=told.seed)
    signal.alarm(0)
    for target, case, problem in report.findings:
        path = CORPUS / target / f"found-{hashlib.sha256(case).hexdigest()[:12]}"
        path.write_bytes(case)
        print(f"{path}: {problem}")
    print(
        f"{report.executions} executions in {time.process_time():.0f} s of processor time, {len(report.ways)} ways, slowest"
        f" {report.slowest_s * 1000:.0f} ms, {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10} MiB at most,"
        f" {len(report.findings)} findings"
    )
    return 1 if report.findings else 0


if __name__ == "__main__":
    sys.exit(main())
