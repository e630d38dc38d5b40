"""What an engine imports after its start, imported before: the host's forks have nothing left to do but their work.

Found by comparing what is imported before a fork with what is after the first token. A module that the installed vLLM does not have, or
that this machine cannot import, is left to the engine: only time is lost.
"""

import importlib
import os
from collections.abc import Callable, Iterable

SERVING = (
    "httptools",
    "model_hosting_container_standards.sagemaker",
    "uvicorn.lifespan.on",
    "uvicorn.protocols.http.auto",
    "uvicorn.protocols.http.httptools_impl",
    "uvicorn.protocols.websockets.auto",
    "prometheus_fastapi_instrumentator",
    "vllm.entrypoints.anthropic.api_router",
    "vllm.entrypoints.cohere.api_router",
    "vllm.entrypoints.generate.api_router",
    "vllm.entrypoints.generate.generative_scoring.api_router",
    "vllm.entrypoints.generate.structured_decisions.api_router",
    "vllm.entrypoints.openai.chat_completion.api_router",
    "vllm.entrypoints.openai.chat_completion.batch_serving",
    "vllm.entrypoints.openai.chat_completion.serving",
    "vllm.entrypoints.openai.completion.api_router",
    "vllm.entrypoints.openai.completion.serving",
    "vllm.entrypoints.openai.models.api_router",
    "vllm.entrypoints.openai.responses.api_router",
    "vllm.entrypoints.openai.responses.serving",
    "vllm.entrypoints.scale_out.derender.api_router",
    "vllm.entrypoints.scale_out.factories",
    "vllm.entrypoints.scale_out.render.api_router",
    "vllm.entrypoints.scale_out.token_in_token_out.api_router",
    "vllm.entrypoints.scale_out.token_in_token_out.serving",
    "vllm.entrypoints.serve.elastic_ep.api_router",
    "vllm.entrypoints.serve.instrumentator.metrics",
    "vllm.entrypoints.serve.instrumentator.offline_docs",
    "vllm.entrypoints.serve.lora.api_router",
    "vllm.entrypoints.serve.middleware.authenticate",
    "vllm.entrypoints.serve.profile.api_router",
    "vllm.entrypoints.serve.tokenize.api_router",
    "vllm.renderers.hf",
    "vllm.v1.metrics.reader",
    "server.engine.doors",
    "server.engine.resolver",
)
WORKING = (
    "setproctitle",
    "vllm.distributed.elastic_ep.elastic_execute",
    "vllm.entrypoints.serve.utils.fingerprint",
    "vllm.lora.model_manager",
    "vllm.lora.worker_manager",
    "vllm.model_executor.layers.quantization.compressed_tensors.compressed_tensors",
    "vllm.model_executor.model_loader.default_loader",
    "vllm.model_executor.model_loader.weight_checksum",
    "vllm.model_executor.models.adapters",
    "vllm.model_executor.models.config",
    "vllm.model_executor.warmup.kernel_warmup",
    "vllm.v1.core.sched.scheduler",
    "vllm.v1.pool.flash_maxsim.flash_maxsim_rerank",
    "vllm.v1.pool.late_interaction_runner",
    "vllm.v1.sample.rejection_sampler",
    "vllm.v1.sample.sampler",
    "vllm.v1.spec_decode.ngram_proposer_gpu",
    "vllm.v1.watermarking.gpu_sampler",
    "vllm.v1.worker.gpu.model_runner",
    "vllm.v1.worker.gpu_model_runner",
    "vllm.v1.worker.gpu_worker",
    "vllm_bnb_plugin.bitsandbytes",
    "vllm_bnb_plugin.bitsandbytes_loader",
)
ON_CPU = (
    "bitsandbytes",  # asks a GPU for its kind as it is imported
    "vllm.triton_utils.dispatcher",
    "vllm.utils.cpu_triton_utils",
    "vllm.v1.attention.backends.cpu_attn",
    "vllm.v1.attention.backends.zentorch_sdpa",
    "vllm.v1.worker.cpu_model_runner",
    "vllm.v1.worker.cpu_worker",
)


def import_all(names: Iterable[str]) -> None:
    for name in names:
        _try_import(name)


def harmless(names: Iterable[str], why_not: Callable[[], str | None]) -> list[str]:
    """Those of `names` whose import leaves nothing behind that `why_not` objects to, tried one after the other in a fork of this process.

    A few libraries ask a GPU for its kind as they are imported, and with that no fork of ours could use it any more.
    """
    receiving, sending = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            _try_in_fork(names, why_not, sending)
        finally:
            os._exit(0)
    os.close(sending)
    with open(receiving, encoding="utf-8") as told:
        found = told.read().split()
    os.waitpid(pid, 0)
    return found


def _try_in_fork(names: Iterable[str], why_not: Callable[[], str | None], sending: int) -> None:
    for name in names:
        _try_import(name)
        if why_not() is not None:
            return  # whatever comes after it may need it
        os.write(sending, f"{name}\n".encode())


def _try_import(name: str) -> None:
    try:
        importlib.import_module(name)
    except Exception:  # noqa: BLE001  kernels that this machine lacks are missed in many ways; who needs the module will say it
        return
