"""Log lines as JSON: one object a line, whatever was written.

Knows nothing of requests. What a record says beside its message comes as `extra={"fields": {...}}`; what is None is left out.
"""

import json
import logging
from datetime import UTC, datetime

MAX_TRACE = 16 << 10


class JsonLines(logging.Formatter):
    """`time` (UTC, ISO 8601), `level`, `logger`, `message`, the record's own fields, and `trace` where there was an exception."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        fields = getattr(record, "fields", None)
        if isinstance(fields, dict):
            line |= {name: value for name, value in fields.items() if value is not None}
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)[-MAX_TRACE:]
        # Escaped, so that no character that a caller sent begins a line or moves a terminal's cursor.
        return _JSON.encode(line)


_JSON = json.JSONEncoder(separators=(",", ":"), default=str)
