"""DiscordChatExporter 2.47's JSON, restated from its writer (`JsonMessageWriter.cs`) as JSON Schema: no key more, no key less."""

from typing import Any

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
MAYBE: Schema = {"type": ["string", "null"]}
FLAG: Schema = {"type": "boolean"}
COUNT: Schema = {"type": "integer", "minimum": 0}
SNOWFLAKE: Schema = {"type": "string", "pattern": "^[0-9]{1,20}$"}
TIME: Schema = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?[+-]\d\d:\d\d$"}
MAYBE_TIME: Schema = {"anyOf": [TIME, {"type": "null"}]}


def shape(required: dict[str, Schema], optional: dict[str, Schema] | None = None) -> Schema:
    properties = required | (optional or {})
    return {"type": "object", "properties": properties, "required": list(required), "additionalProperties": False}


def many(item: Schema) -> Schema:
    return {"type": "array", "items": item}


ROLE = shape({"id": SNOWFLAKE, "name": TEXT, "color": MAYBE, "position": COUNT})
REACTOR = shape(
    {
        "id": SNOWFLAKE,
        "name": TEXT,
        "discriminator": {"type": "string", "pattern": "^[0-9]{4}$"},
        "nickname": TEXT,
        "color": {"anyOf": [{"type": "null"}, {"type": "string", "pattern": "^#[0-9A-F]{6}$"}]},
        "isBot": FLAG,
        "avatarUrl": TEXT,
    }
)
USER = shape(REACTOR["properties"], {"roles": many(ROLE)})
EMOJI = shape({"id": {"type": "string", "pattern": "^[0-9]*$"}, "name": TEXT, "code": TEXT, "isAnimated": FLAG, "imageUrl": TEXT})
REFERENCE = shape({"type": {"enum": ["Default", "Forward"]}, "messageId": MAYBE, "channelId": MAYBE, "guildId": MAYBE})
KINDS = (
    "Default RecipientAdd RecipientRemove Call ChannelNameChange ChannelIconChange ChannelPinnedMessage GuildMemberJoin ThreadCreated Reply"
)

MESSAGE = shape(
    {
        "id": SNOWFLAKE,
        "type": {"anyOf": [{"enum": KINDS.split()}, {"type": "string", "pattern": "^[0-9]+$"}]},
        "timestamp": TIME,
        "timestampEdited": MAYBE_TIME,
        "callEndedTimestamp": MAYBE_TIME,
        "isPinned": FLAG,
        "content": TEXT,
        "author": USER,
        "attachments": many(shape({"id": SNOWFLAKE, "url": TEXT, "fileName": TEXT, "fileSizeBytes": COUNT})),
        "embeds": many({"type": "object"}),
        "stickers": many(shape({"id": SNOWFLAKE, "name": TEXT, "format": {"enum": ["Png", "Apng", "Lottie", "Gif"]}, "sourceUrl": TEXT})),
        "reactions": many(shape({"emoji": EMOJI, "count": COUNT, "users": many(REACTOR)})),
        "mentions": many(USER),
        "inlineEmojis": many(EMOJI),
    },
    {"reference": REFERENCE},
)
CHANNEL = shape(
    {
        "id": SNOWFLAKE,
        "type": {"enum": ["GuildTextChat", "GuildPublicThread"]},
        "categoryId": MAYBE,
        "category": MAYBE,
        "name": TEXT,
        "topic": MAYBE,
    },
    {"iconUrl": TEXT},
)
EXPORT = shape(
    {
        "guild": shape({"id": SNOWFLAKE, "name": TEXT, "iconUrl": TEXT}),
        "channel": CHANNEL,
        "dateRange": shape({"after": MAYBE_TIME, "before": MAYBE_TIME}),
        "exportedAt": TIME,
        "messages": many(MESSAGE),
        "messageCount": COUNT,
    }
)
FILE_KEYS = list(EXPORT["properties"])
"""The order in which the exporter writes the keys of a file."""
