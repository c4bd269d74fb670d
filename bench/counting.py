"""A WSGI wrapper that tells how many SQL statements a request made, in headers of the answer. For the bench only."""

import hashlib
import re
from collections.abc import Callable, Iterable
from typing import Any

from django.db import connection

SAVEPOINT = re.compile(r'"?s\d+_x\d+"?')
CONTROL = ("BEGIN", "SAVEPOINT", "RELEASE", "ROLLBACK")
LIST = re.compile(r"\((?:%s(?:, )?)+\)")

App = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def counted(app: App) -> App:
    """Wrap `app` so that each answer says `Bench-SQL` (statements; with transaction control) and
    `Bench-Statements` (digest of their texts)."""

    def counting(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        texts: list[str] = []

        def watch(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
            texts.append(LIST.sub("(...)", SAVEPOINT.sub("s", str(sql))))
            return execute(sql, params, many, context)

        def start(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            work = [text for text in texts if not text.startswith(CONTROL)]
            digest = hashlib.sha256("\n".join(work).encode()).hexdigest()[:16]
            said = [("Bench-SQL", f"{len(work)} {len(texts)}"), ("Bench-Statements", digest)]
            return start_response(status, [*headers, *said], *rest)

        with connection.execute_wrapper(watch):
            return app(environ, start)

    return counting
