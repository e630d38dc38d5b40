"""What the CPU's LoRA adds to batches of several adapters and the base: prints, per batch, the largest error of each token,
with vLLM's own and with ours.

In a process of its own: vLLM changes loggers, signal handlers and the environment of whoever imports it.
"""

import json
import sys

import torch
from vllm.lora.layers import LoRAMapping
from vllm.lora.punica_wrapper import get_punica_wrapper

from server.engine import cpu_lora

WIDE, RANK, SLOTS = 6, 2, 2


def errors(adapters: tuple[int, ...]) -> list[float]:
    """Per token, how far what is added lies from its own adapter's product; 0 is the base, to which nothing is added."""
    torch.manual_seed(1)
    wrapper = get_punica_wrapper(8, max_batches=8, device=torch.device("cpu"))
    wrapper.update_metadata(LoRAMapping(adapters, adapters, is_prefill=True), [1, 2], SLOTS, 100)
    before, x = torch.randn(len(adapters), WIDE), torch.randn(len(adapters), WIDE)
    a, b = torch.randn(SLOTS, 1, RANK, WIDE), torch.randn(SLOTS, 1, WIDE, RANK)
    after = before.clone()
    wrapper.add_lora_linear(after, x, (a,), (b,), 2.0, (WIDE,))
    wanted = [
        2.0 * b[adapter - 1, 0] @ (a[adapter - 1, 0] @ x[row]) if adapter else torch.zeros(WIDE) for row, adapter in enumerate(adapters)
    ]
    return [float((after[row] - before[row] - added).abs().max()) for row, added in enumerate(wanted)]


if __name__ == "__main__":
    batches = [tuple(adapters) for adapters in json.loads(sys.argv[1])]
    stock = [errors(adapters) for adapters in batches]
    cpu_lora.install()
    cpu_lora.install()  # each of vLLM's processes may ask for it more than once
    print(json.dumps({"stock": stock, "ours": [errors(adapters) for adapters in batches]}))
