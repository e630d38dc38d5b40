"""The routes of feedback and consent as the public OpenAPI document tells them. Pure; tests hold answers against it."""

from typing import Any

from server.gateway.feedback import documents

Schema = dict[str, Any]

_ID: Schema = {"type": "string", "pattern": "^[!-~]{1,64}$"}
_IDS: Schema = {"type": "array", "maxItems": documents.MAX_PEOPLE, "items": _ID}
_COUNT: Schema = {"type": "integer", "minimum": 0, "maximum": documents.MAX_COUNT}
_TEXT: Schema = {"type": "string", "maxLength": documents.MAX_TEXT}
_MOMENT: Schema = {"type": "string", "format": "date-time"}
_COMMUNITY: Schema = {"type": ["string", "null"], "maxLength": 63, "description": documents.OF_COMMUNITY}


def _optional(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def _object(required: list[str], properties: Schema) -> Schema:
    return {"type": "object", "additionalProperties": False, "required": required, "properties": properties}


_NAME: Schema = {"type": "string", "maxLength": documents.MAX_NAME}
_TURN = _object(["text"], {"author": _optional(_ID), "name": _NAME, "text": _TEXT, "is_self": {"type": "boolean"}})
_ITEM = _object(
    ["message_id", "adapter", "context_hash", "reactions", "people", "sent_at"],
    {
        "message_id": _ID,
        "adapter": {"type": "string", "maxLength": 96},
        "context_hash": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
        "reactions": {
            "type": "object",
            "maxProperties": documents.MAX_EMOJI,
            "propertyNames": {"minLength": 1, "maxLength": 100},
            "additionalProperties": _COUNT,
        },
        "people": _COUNT,
        "sent_at": _MOMENT,
        "reacted_at": _optional(_MOMENT) | {"description": documents.REACTED_AT},
        "context": _optional({"type": "array", "maxItems": documents.MAX_TURNS, "items": _TURN}),
        "reply": _optional(_TEXT),
        "authors": _optional(_IDS),
    },
)
_FEEDBACK = _object(
    ["items"], {"community": _COMMUNITY, "items": {"type": "array", "maxItems": documents.MAX_ITEMS, "items": _ITEM}}
)  # fmt: skip
_CONSENT = _object([], {"community": _COMMUNITY, "optout": _IDS, "optin": _IDS, "forget": _IDS})
_OF: Schema = {"parameters": [{"name": "community", "in": "query", "required": False, "schema": {"type": "string", "maxLength": 63}}]}


def _body(schema: Schema) -> Schema:
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


FEEDBACK_PATHS: dict[str, dict[str, tuple[str, str, Schema]]] = {
    "/v1/feedback": {
        "get": ("feedback_plan", "Which versions are to answer, and how often the canary.", _OF),
        "post": ("feedback", "How people reacted to answers.", _body(_FEEDBACK)),
    },
    "/v1/consent": {
        "get": ("consent_list", "Who said no.", _OF),
        "post": ("consent", "Somebody says no, or yes again.", _body(_CONSENT)),
    },
}
"""Path → method → (operation, summary, the rest of it)."""
