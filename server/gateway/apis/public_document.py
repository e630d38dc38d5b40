"""The OpenAPI document of what callers use, made from the tables by which their requests are read. Pure.

What a document cannot say, such as what goes together, the answer to a request says.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from server.gateway.apis import api as apis
from server.gateway.apis.api import Api
from server.gateway.apis.messages import MAX_MESSAGES, ROLES, TOOL
from server.gateway.apis.parse import Dialect
from server.gateway.feedback.public_paths import FEEDBACK_PATHS
from server.gateway.idempotency import HEADER as IDEMPOTENCY
from server.gateway.idempotency import MAX_KEY_LENGTH
from server.gateway.leases import DEADLINE, MAX_DEADLINE_MS

Schema = dict[str, Any]

_TEXT_PARTS: Schema = {
    "type": "array",
    "minItems": 1,
    "items": {
        "type": "object",
        "additionalProperties": False,
        "required": ["type", "text"],
        "properties": {"type": {"const": "text"}, "text": {"type": "string"}},
    },
}
_CALL: Schema = {
    "type": "object",
    "additionalProperties": False,
    "required": ["id", "type", "function"],
    "properties": {
        "id": {"type": "string"},
        "type": {"const": "function"},
        "function": {
            "type": "object",
            "additionalProperties": False,
            "required": ["name", "arguments"],
            "properties": {"name": {"type": "string"}, "arguments": {"type": "string"}},
        },
    },
}
_CHAT: Schema = {
    "type": "array",
    "minItems": 1,
    "maxItems": MAX_MESSAGES,
    "items": {
        "type": "object",
        "additionalProperties": False,
        "required": ["role"],
        "properties": {
            "role": {"enum": [*ROLES, TOOL]},
            "content": {"anyOf": [{"type": "string"}, _TEXT_PARTS, {"type": "null"}]},
            "name": {"type": ["string", "null"], "pattern": "^[A-Za-z0-9_-]{1,64}$"},
            "tool_calls": {"anyOf": [{"type": "array", "items": _CALL}, {"type": "null"}]},
            "tool_call_id": {"type": "string"},
        },
    },
}
"""What is empty in answers, and sent back with them, is not told here."""
_PROMPT: Schema = {
    "anyOf": [
        {"type": "string", "minLength": 1},
        {"type": "array", "minItems": 1, "maxItems": 1, "items": {"type": "string", "minLength": 1}},
        {"type": "array", "minItems": 1, "items": {"type": "integer", "minimum": 0}},
    ]
}
"""As a chat key may send it."""
_INPUT: Schema = {
    "anyOf": [
        {"type": "string", "minLength": 1},
        {
            "type": "array",
            "minItems": 1,
            "maxItems": MAX_MESSAGES,
            "items": {
                "type": "object",
                "properties": {
                    "type": {"enum": ["message", "function_call", "function_call_output"]},
                    "role": {"enum": list(ROLES)},
                    "content": {"anyOf": [{"type": "string"}, {"type": "array", "minItems": 1, "items": {"type": "object"}}]},
                },
            },
        },
    ]
}
_TURNS: Schema = {
    "type": "array",
    "minItems": 1,
    "maxItems": MAX_MESSAGES,
    "items": {
        "type": "object",
        "additionalProperties": False,
        "required": ["role", "content"],
        "properties": {
            "role": {"enum": ["user", "assistant"]},
            "content": {"anyOf": [{"type": "string"}, {"type": "array", "minItems": 1, "items": {"type": "object"}}]},
        },
    },
}
PROMPTS: Mapping[str, Schema] = {apis.CHAT: _CHAT, apis.TEXT: _PROMPT, apis.RESPONSES: _INPUT, apis.MESSAGES: _TURNS}
"""Route → what is asked."""
_ERROR: Schema = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "additionalProperties": False,
            "required": ["message", "type", "param", "code"],
            "properties": {
                "message": {"type": "string"},
                "type": {"type": "string"},
                "param": {"type": ["string", "null"]},
                "code": {"type": ["string", "null"]},
            },
        }
    },
}
_ANTHROPIC_ERROR: Schema = {
    "type": "object",
    "additionalProperties": False,
    "required": ["type", "error"],
    "properties": {
        "type": {"const": "error"},
        "error": {
            "type": "object",
            "required": ["type", "message"],
            "properties": {"type": {"type": "string"}, "message": {"type": "string"}},
        },
    },
}
_OBJECT: Schema = {"type": "object"}
_READY: Schema = {
    "type": "object",
    "required": ["ready", "engine"],
    "properties": {"ready": {"type": "boolean"}, "engine": {"type": "string"}},
}


def public_document(spoken: Sequence[Api], *, version: str) -> dict[str, Any]:
    """All routes that need no admin key."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "Troupe", "version": version},
        "security": [{"key": []}],
        "paths": {
            **{api.path: {"post": _generation(api)} for api in spoken},
            "/v1/models": {"get": _operation("list_models", "What this key may ask.", {"200": _json("The models.", _OBJECT)})},
            "/v1/models/{model}": {"get": {**_operation("model", "One of them.", {"200": _json("The model.", _OBJECT)}), **_MODEL}},
            "/v1/warm": {"post": {**_operation("warm", "Somebody is about to ask.", {"202": _json("Heard.", _OBJECT)}), **_WARM}},
            "/v1/usage": {"get": {**_operation("usage", "What is left of the limits.", {"200": _json("Usage.", _OBJECT)}), **_USAGE}},
            **{path: {method: _told(*said) for method, said in methods.items()} for path, methods in FEEDBACK_PATHS.items()},
            "/health/live": {"get": {**_operation("live", "Whether there is a gateway.", {"200": _json("Yes.", _OBJECT)}), "security": []}},
            "/health/ready": {"get": {**_operation("ready", "Whether requests are taken.", _IS_READY), "security": []}},
        },
        "components": {
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
            "schemas": {"Error": _ERROR, "AnthropicError": _ANTHROPIC_ERROR},
        },
    }


def request_schema(dialect: Dialect, prompt: Schema) -> Schema:
    """Of a body. Null is as good as absent, where a parameter is known."""
    allowed = {name: {"anyOf": [dict(check.schema), {"type": "null"}]} for name, check in dialect.parameters.items()}
    asking_nothing = {name: {"enum": [*values, None]} for name, values in dialect.neutral.items()}
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["model", dialect.prompt],
        "properties": {**asking_nothing, **allowed, "model": {"type": "string"}, dialect.prompt: prompt},
    }


def _generation(api: Api) -> dict[str, Any]:
    answered = {"description": "The answer.", "content": {"application/json": {"schema": _OBJECT}, "text/event-stream": {}}}
    error = "AnthropicError" if api.path == apis.MESSAGES else "Error"
    schema = request_schema(api.dialect, PROMPTS[api.path])
    return {
        **_operation(api.path.removeprefix("/v1/"), "An answer, whole or as it comes.", {"200": answered}, error=error),
        "requestBody": {"required": True, "content": {"application/json": {"schema": schema}}},
        "parameters": [
            _header(IDEMPOTENCY, {"type": "string", "minLength": 1, "maxLength": MAX_KEY_LENGTH, "pattern": "^[ -~]+$"}),
            _header(DEADLINE, {"type": "integer", "minimum": 1, "maximum": MAX_DEADLINE_MS}),
        ],
    }


def _operation(name: str, summary: str, responses: Mapping[str, Any], *, error: str = "Error") -> dict[str, Any]:
    told = _json("Why not.", {"$ref": f"#/components/schemas/{error}"})
    return {"operationId": name, "summary": summary, "responses": {**responses, "4XX": told, "5XX": told}}


def _told(name: str, summary: str, rest: Schema) -> dict[str, Any]:
    return {**_operation(name, summary, {"200": _json("Heard, or told.", _OBJECT)}), **rest}


def _json(description: str, schema: Schema) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _header(name: str, schema: Schema) -> dict[str, Any]:
    return {"name": name, "in": "header", "required": False, "schema": schema}


_MODEL = {"parameters": [{"name": "model", "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}]}
_USAGE = {"parameters": [{"name": "community", "in": "query", "required": False, "schema": {"type": "string", "maxLength": 63}}]}
_WARM = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "additionalProperties": False,
                    "required": ["model"],
                    "properties": {"model": {"type": "string"}},
                }
            }
        },
    }
}
_IS_READY = {"200": _json("Yes.", _READY), "503": _json("No.", _READY)}
