"""Test-only middleware: a request that writes a client's data without an audit row fails."""

import re
from collections.abc import Callable
from typing import Any

from django.apps import apps
from django.db import connection
from django.http import HttpRequest, HttpResponse

from practice.models import Client, ClientRecord

WRITE = re.compile(r'^\s*(?:INSERT INTO|UPDATE|DELETE FROM)\s+"?(\w+)"?', re.IGNORECASE)


class WritesAreAudited:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        clients = {m._meta.db_table for m in apps.get_models() if issubclass(m, ClientRecord)} | {Client._meta.db_table}
        wrote: set[str] = set()

        def watch(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
            result = execute(sql, params, many, context)
            if (found := WRITE.match(sql)) and context["cursor"].rowcount != 0:  # an UPDATE may claim nothing
                wrote.add(found[1])
            return result

        with connection.execute_wrapper(watch):
            response = self.get_response(request)
        if wrote & clients and "practice_auditevent" not in wrote and response.status_code < 400:
            raise AssertionError(f"{request.method} {request.path} wrote {wrote & clients} without an audit row")
        return response
