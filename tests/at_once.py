"""Two acts at the same instant, on PostgreSQL: each stands where it waits before the other goes on."""

import threading
import time
from collections.abc import Callable

import pytest
from django.conf import settings
from django.db import connection, transaction

from practice.models import AuditHead

MARKS = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(
        settings.DATABASES["default"]["ENGINE"].endswith("sqlite3"), reason="only on PostgreSQL: SQLite has one writer"
    ),
]
LONGEST_S = 60.0  # a machine with much else to do is slow, not stuck

Act = Callable[[], object]


def waiting() -> int:
    """How many connections to this database wait for a row that somebody else holds."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_clear_snapshot()")
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        found: int = cursor.fetchone()[0]
    return found


def both(first: Act, second: Act) -> list[str]:
    """Begin `first`; when it stands at the trail, begin `second`; when both stand, let them go. Returns what failed."""
    failed: list[str] = []

    def run(act: Act) -> None:
        try:
            act()
        except Exception as trouble:
            failed.append(f"{type(trouble).__name__}: {trouble}")
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(act,)) for act in (first, second)]
    with transaction.atomic():
        AuditHead.objects.select_for_update().get(pk=1)
        for n, thread in enumerate(threads, 1):
            thread.start()
            until = time.monotonic() + LONGEST_S
            while waiting() < n and time.monotonic() < until:
                time.sleep(0.02)
            assert waiting() == n, "it does not stand where the test wants it"
    for thread in threads:
        thread.join()
    return failed
