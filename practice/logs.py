"""Logs say what happened to the system, never to a person: one line, known fields only, paths without their ids."""

import json
import logging
import re
from datetime import UTC, datetime

FIELDS = ("job", "kind", "trouble", "attempts", "status", "method", "view", "ms", "error_id")
_IDS = re.compile(
    r"/(p|r|c|x|m|feed|alerts/open|reset/key)/[^/\s?]+|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|\?\S+"
)


class NothingOfAClient(logging.Filter):
    """Drop tracebacks, arguments and query strings: they can hold what somebody typed."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.exc_info:
            kind = record.exc_info[0] if isinstance(record.exc_info, tuple) else None
            record.trouble = kind.__name__ if kind else "error"
        record.exc_info = record.exc_text = record.stack_info = None
        try:
            said = record.getMessage()
        except (TypeError, ValueError):
            said = str(record.msg)
        record.msg, record.args = _IDS.sub("/…", said), ()
        return True


class OneLine(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "log": record.name,
            "said": record.getMessage(),
        }
        line |= {name: getattr(record, name) for name in FIELDS if hasattr(record, name)}
        return json.dumps(line, default=str)
