"""A WSGI wrapper that tells how many SQL statements a request made, in headers of the answer. For the bench only."""

import hashlib
import re
from collections.abc import Callable, Iterable
from typing import Any

from django.db import connection

SAVEPOINT = re.compile(r'"?s\d+_x\d+"?')
LIST = re.compile(r"\((?:%s(?:, )?)+\)")

App = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def counted(app: App) -> App:
    """Wrap `app` so that each answer says `Bench-SQL` (statements) and `Bench-Statements` (digest of their texts)."""

    def counting(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        texts: list[str] = []

        def watch(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
            texts.append(LIST.sub("(...)", SAVEPOINT.sub("s", str(sql))))
            return execute(sql, params, many, context)

        def start(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            digest = hashlib.sha256("\n".join(texts).encode()).hexdigest()[:16]
            return start_response(
                status, [*headers, ("Bench-SQL", str(len(texts))), ("Bench-Statements", digest)], *rest
            )

        with connection.execute_wrapper(watch):
            return app(environ, start)

    return counting
