"""What vLLM answers, without a model: its documents, field by field in its order, with words in place of tokens.

Pure. A test holds it against the pinned vLLM. Knows nothing of HTTP, of time or of faults.
"""

import json
import time
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from loadtests.fake_tool_call import ARGUMENTS, called, ending, first_piece, next_piece, whole_call

BASE = "base"
FINGERPRINT = "vllm-fake"
DONE = b"data: [DONE]\n\n"


@dataclass(frozen=True)
class Answer:
    """What one request gets, in vLLM's documents. `tokens` holds the words of each choice."""

    id: str
    created: int
    model: str
    chat: bool
    choices: int
    prompt_tokens: int
    tokens: tuple[str, ...]
    finish_reason: str
    include_usage: bool
    continuous_usage: bool
    """Whether each chunk tells how many tokens its choice has so far."""
    cached: int | None
    """Tokens of the prompt that were there already; None where the engine was not told to say so."""
    logprob: float | None
    """Of each token; None, which no engine that is well writes, for a number that is not there."""
    logprobs: bool
    """Whether they are asked for. Only whole chats hold them here."""
    call: str | None
    """The tool that the answer calls; then `tokens` are its arguments."""

    @classmethod
    def to(
        cls,
        body: Mapping[str, Any],
        *,
        chat: bool,
        tokens: int,
        vocabulary: Sequence[str],
        logprob: float | None = -0.5,
        cached: int | None = 0,
    ) -> "Answer":
        """What `body` asks for, of `tokens` words at most; `cached` words of its prompt at most are known."""
        limit = body.get("max_completion_tokens") or body.get("max_tokens") or tokens
        length = min(tokens, limit)
        options = body.get("stream_options") or {}
        prompt, call = len(words(body)), called(body) if chat else None
        if call is not None:
            vocabulary, tokens, length = ARGUMENTS, len(ARGUMENTS), min(len(ARGUMENTS), limit)
        reason = "stop" if call is None else ending(body)
        return cls(
            id=("chatcmpl-" if chat else "cmpl-") + uuid4().hex,
            created=int(time.time()),
            model=body["model"],
            chat=chat,
            choices=body.get("n") or 1,
            prompt_tokens=prompt,
            tokens=tuple(vocabulary[index % len(vocabulary)] for index in range(length if vocabulary else 0)),
            finish_reason="length" if length < tokens else reason,
            include_usage=bool(options.get("include_usage")),
            continuous_usage=bool(options.get("include_usage") and options.get("continuous_usage_stats")),
            cached=None if cached is None else min(cached, prompt),
            logprob=logprob,
            logprobs=body.get("logprobs") is True,
            call=call,
        )

    def usage(self, completion: int | None = None) -> dict[str, Any]:
        """Of `completion` tokens, or of all of them."""
        completion = len(self.tokens) * self.choices if completion is None else completion
        return {
            "prompt_tokens": self.prompt_tokens,
            "total_tokens": self.prompt_tokens + completion,
            "completion_tokens": completion,
        }

    def _details(self) -> dict[str, Any]:
        """Of the prompt: what vLLM knows of it, chats a little more than completions."""
        if self.cached is None:
            return {}
        created = {"created_cache_tokens": self.prompt_tokens - self.cached} if self.chat else {}
        return {"prompt_tokens_details": {"cached_tokens": self.cached, **created}}

    def whole(self) -> dict[str, Any]:
        """The answer that is not streamed, with every field that vLLM dumps."""
        text = "".join(self.tokens)
        kind = "chat.completion" if self.chat else "text_completion"
        head = {"id": self.id, "object": kind, "created": self.created, "model": self.model}
        details = {kind: {**_EMPTY_DETAILS, **known} for kind, known in self._details().items()}
        tail = {"service_tier": None, "system_fingerprint": FINGERPRINT, "usage": {**self.usage(), **_NO_DETAILS, **details}}
        if self.chat:
            choices = [{**self._chat_choice(index, text), "logprobs": self._logprobs()} for index in range(self.choices)]
            return {**head, "choices": choices, **tail, **_NO_CHAT_EXTRAS}
        choices = [_text_choice(index, text, self.finish_reason) for index in range(self.choices)]
        return {**head, "choices": choices, **tail, **_NO_TEXT_EXTRAS}

    def _chat_choice(self, index: int, text: str) -> dict[str, Any]:
        if self.call is None:
            return _chat_choice(index, text, self.finish_reason)
        choice = _chat_choice(index, "", self.finish_reason)
        message = {**choice["message"], "content": None}
        reasoning = message.pop("reasoning")
        return {**choice, "message": {**message, "tool_calls": [whole_call(self._call_id(index), self.call, text)], "reasoning": reasoning}}

    def _call_id(self, index: int) -> str:
        return f"chatcmpl-tool-{self.id[-8:]}{index}"

    def _logprobs(self) -> dict[str, Any] | None:
        if not self.logprobs:
            return None
        told = {"logprob": self.logprob}
        return {"content": [{"token": each, **told, "bytes": list(each.encode()), "top_logprobs": []} for each in self.tokens]}

    def opening(self) -> list[dict[str, Any]]:
        """The chunks that come before any token: in a chat, the role of each choice."""
        if not self.chat:
            return []
        delta = {"role": "assistant", "content": ""}
        choices = [{"index": index, "delta": delta, "logprobs": None, "finish_reason": None} for index in range(self.choices)]
        return [self._chunk(choice, 0) for choice in choices]

    def chunks(self, position: int, count: int = 1) -> list[dict[str, Any]]:
        """The chunks with `count` tokens from `position` on, one for each choice."""
        end = min(position + count, len(self.tokens))
        text, last = "".join(self.tokens[position:end]), end == len(self.tokens)
        return [self._chunk(self._piece(index, text, first=position == 0, last=last), end) for index in range(self.choices)]

    def usage_chunk(self) -> dict[str, Any]:
        return {**self._head(), "choices": [], "usage": {**self.usage(), **self._details()}, "system_fingerprint": FINGERPRINT}

    def _delta(self, index: int, text: str, *, first: bool) -> dict[str, Any]:
        if self.call is None:
            return {"content": text}
        return first_piece(self._call_id(index), self.call, text) if first else next_piece(text)

    def _piece(self, index: int, text: str, *, first: bool, last: bool) -> dict[str, Any]:
        reason = self.finish_reason if last else None
        if not self.chat:
            return {**_text_piece(index, text), "finish_reason": reason, "stop_reason": None, **_NO_TOKEN_IDS}
        ending = {"stop_reason": None} if last else {}
        return {
            "index": index,
            "delta": self._delta(index, text, first=first),
            "logprobs": None,
            "finish_reason": reason,
            **ending,
            "token_ids": None,
        }

    def _head(self) -> dict[str, Any]:
        kind = "chat.completion.chunk" if self.chat else "text_completion"
        return {"id": self.id, "object": kind, "created": self.created, "model": self.model}

    def _chunk(self, choice: dict[str, Any], completion: int) -> dict[str, Any]:
        """`completion`: tokens of this choice so far, itself included."""
        chunk = {**self._head(), "choices": [choice]}
        if not self.continuous_usage:
            return chunk
        details = {"completion_tokens_details": None} if self.chat else {}
        return {**chunk, "usage": {**self.usage(completion), **details}}


_NO_DETAILS = {"prompt_tokens_details": None, "completion_tokens_details": None}
_EMPTY_DETAILS = {"cached_tokens": None, "created_cache_tokens": None, "multimodal_tokens": None}
_NO_TOKEN_IDS = {"prompt_token_ids": None, "token_ids": None}
_NO_TEXT_EXTRAS = {"kv_transfer_params": None, "ec_transfer_params": None, "metrics": None}
_NO_CHAT_EXTRAS = {"prompt_logprobs": None, "prompt_token_ids": None, "prompt_text": None, **_NO_TEXT_EXTRAS}


def _chat_choice(index: int, text: str, finish_reason: str) -> dict[str, Any]:
    empty = ("refusal", "annotations", "audio", "function_call")
    message = {"role": "assistant", "content": text, **dict.fromkeys(empty), "reasoning": None}
    return {
        "index": index,
        "message": message,
        "logprobs": None,
        "finish_reason": finish_reason,
        "stop_reason": None,
        "token_ids": None,
        "routed_experts": None,
    }


def _text_choice(index: int, text: str, finish_reason: str) -> dict[str, Any]:
    return {
        "index": index,
        "text": text,
        "logprobs": None,
        "finish_reason": finish_reason,
        "stop_reason": None,
        "token_ids": None,
        "prompt_logprobs": None,
        "prompt_token_ids": None,
        "routed_experts": None,
    }


def _text_piece(index: int, text: str) -> dict[str, Any]:
    return {"index": index, "text": text, "logprobs": None}


def usual_logprob(model: str) -> float:
    """Another one for each model, always the same."""
    return -(1 + zlib.crc32(model.encode()) % 10_000) / 10_000


def error(message: str, kind: str, status: int, param: str | None = None) -> dict[str, Any]:
    """vLLM's error object; its `code` is the status."""
    return {"error": {"message": message, "type": kind, "param": param, "code": status}}


def unknown_model(model: str) -> dict[str, Any]:
    return error(f"The model `{model}` does not exist. Valid aliases: {BASE}.", "NotFoundError", 404, "model")


def generation_error() -> dict[str, Any]:
    return error("Internal server error", "InternalServerError", 500)


def dumps(content: Any) -> str:
    """JSON as vLLM writes it: compact, not escaped."""
    return json.dumps(content, separators=(",", ":"), ensure_ascii=False)


def event(content: Any) -> bytes:
    return f"data: {dumps(content)}\n\n".encode()


def quoting(refusal: dict[str, Any], body: Mapping[str, Any]) -> dict[str, Any]:
    """The same, with the prompt in its sentence."""
    told = refusal["error"]
    return {"error": {**told, "message": f"{told['message']} [input_value={body.get('messages') or body.get('prompt')!r}]"}}


def error_event(quoted: Mapping[str, Any] | None = None) -> bytes:
    """vLLM's error within a stream, which it dumps with spaces. `quoted`: the request whose prompt it quotes."""
    error = generation_error()
    return f"data: {json.dumps(error if quoted is None else quoting(error, quoted))}\n\n".encode()


def words(body: Mapping[str, Any]) -> list[str]:
    """Of the prompt, however it is asked; a prompt of token ids has one for each."""
    prompt = body.get("messages") or body.get("prompt") or ""
    if isinstance(prompt, str):
        return prompt.split()
    return [word for item in prompt for word in (str(item["content"]).split() if isinstance(item, dict) else [str(item)])]
