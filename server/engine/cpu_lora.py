"""On a CPU: a request for the base stays the base's, whatever it shares a batch with.

vLLM marks the tokens of the base with the slot -1, and its kernels for a CPU take that for the last slot: the base would speak in the
voice of whoever is there (https://github.com/vllm-project/vllm/pull/48421; those for GPUs skip such tokens). Knows nothing of adapters.
"""

from typing import Any

import torch
from vllm.lora.punica_wrapper.punica_cpu import PunicaWrapperCPU
from vllm.platforms import current_platform


class CpuLora(PunicaWrapperCPU):  # type: ignore[misc]  # vLLM is not typed for us
    """vLLM's own, with nothing added to the tokens of the base."""

    def _apply_shrink(self, y: torch.Tensor, x: torch.Tensor, w_t_all: torch.Tensor, scale: float) -> None:
        """`y`, (tokens, rank), is what the second half of each pair goes on with: zeros there change nothing."""
        super()._apply_shrink(y, x, w_t_all, scale)
        of_base = self.token_lora_indices < 0
        y.view(-1, y.shape[-1]).masked_fill_(of_base.unsqueeze(1), 0)


def install() -> None:
    """Let vLLM use it in this process, if this is a CPU. Calling it again changes nothing."""
    platform: Any = type(current_platform)
    if current_platform.is_cpu():
        platform.get_punica_wrapper = classmethod(lambda cls: f"{CpuLora.__module__}.{CpuLora.__qualname__}")
