"""An answer, and a merge of its client's record, at the same instant: neither is lost, nobody is told "not saved"."""

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.db import connection, transaction

from intake import actions
from intake.models import Answer, Intake
from practice import merging
from practice.models import Alert, AuditHead, Client, Merge, User
from tests import factories
from tests.factories import NOW
from tests.intake.conftest import Phone, fill_required

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(
        settings.DATABASES["default"]["ENGINE"].endswith("sqlite3"), reason="only on PostgreSQL: SQLite has one writer"
    ),
]
LATER = NOW + timedelta(minutes=5)
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


@pytest.fixture
def kept(maya: User, omar: User, request: pytest.FixtureRequest) -> Client:
    """The record that stays: of the same therapist, or of another one, to whom the client is handed over first."""
    return factories.client({"same": maya, "other": omar}[request.param], "Sam Whitehorse", email="s@example.net")


def merge(kept: Client, former: Client, by: User) -> Act:
    return lambda: merging.merge(by=by, kept=kept, former=former, take=(), words="Same birth date.", at=LATER)


@pytest.mark.parametrize("kept", ["same", "other"], indirect=True)
@pytest.mark.parametrize("order", [1, -1], ids=["answer first", "merge first"])
def test_safety_answer_and_merge_are_both_kept(
    check_in: Phone, sam: Client, kept: Client, rosa: User, order: int
) -> None:
    """Laws 1 and 4: the flag stands in the record that stays, and each of the two goes through at its first try."""
    sitting = check_in.sitting
    page = actions.packet_of(sitting).by_slug["phq-9--9"]
    answer = lambda: actions.save_answer(by=sam, sitting=sitting, page=page, value=3, at=LATER)  # noqa: E731
    assert both(*[answer, merge(kept, sam, rosa)][::order]) == []
    assert Merge.objects.get().client == kept
    row, flag = Answer.objects.get(), Alert.objects.get()
    assert (row.value, row.intake.client, flag.client, flag.severity) == (3, kept, kept, "urgent")


@pytest.mark.parametrize("kept", ["other"], indirect=True)
@pytest.mark.parametrize("order", [1, -1], ids=["answer first", "merge first"])
def test_how_to_reach_somebody_is_kept_in_the_record_that_stays(
    phone: Phone, sam: Client, kept: Client, rosa: User, order: int
) -> None:
    """What an answer changes in the client's own row at once is changed in one of the two, and the merge sees it."""
    sitting = phone.sitting
    page = actions.packet_of(sitting).by_slug["reach"]
    value: Any = ["email"]
    answer = lambda: actions.save_answer(by=sam, sitting=sitting, page=page, value=value, at=LATER)  # noqa: E731
    assert both(*[answer, merge(kept, sam, rosa)][::order]) == []
    kept.refresh_from_db()
    assert (Answer.objects.get().intake.client, kept.may_reach_by("email"), kept.may_reach_by("sms")) == (
        kept, True, False,
    )  # fmt: skip


@pytest.mark.parametrize("kept", ["other"], indirect=True)
@pytest.mark.parametrize("order", [1, -1], ids=["sending first", "merge first"])
def test_sending_and_merge_are_both_kept(phone: Phone, sam: Client, kept: Client, rosa: User, order: int) -> None:
    sitting = fill_required(phone).sitting
    send = lambda: actions.submit(by=sam, sitting=sitting, at=LATER)  # noqa: E731
    assert both(*[send, merge(kept, sam, rosa)][::order]) == []
    sent = Intake.objects.get()
    assert (sent.submitted_at, sent.client, kept.tasks.filter(kind="new_intake", done_at=None).count()) == (
        LATER, kept, 1,
    )  # fmt: skip
