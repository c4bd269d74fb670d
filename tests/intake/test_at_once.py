"""An answer, and a merge of its client's record, at the same instant: neither is lost, nobody is told "not saved"."""

from datetime import timedelta
from typing import Any

import pytest

from intake import actions, measures
from intake.models import Answer, Intake, Measure
from practice import merging
from practice.models import Alert, Client, Merge, User
from tests import factories
from tests.at_once import MARKS, Act, both
from tests.factories import NOW
from tests.intake.conftest import Phone, fill_required

pytestmark = MARKS
LATER = NOW + timedelta(minutes=5)


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


@pytest.mark.parametrize("kept", ["other"], indirect=True)
@pytest.mark.parametrize("order", [1, -1], ids=["job first", "merge first"])
def test_check_in_that_is_not_back_and_merge_are_both_kept(sam: Client, kept: Client, rosa: User, order: int) -> None:
    """Law 1: the flag of the job that looks for what is not back stands in the record that stays."""
    sent = NOW - timedelta(days=2)
    Measure.objects.create(
        client=sam, packet="check-in", why="interim", due_at=sent, sent_at=sent, planned_at=sent, watched=True
    )
    watch = lambda: measures.watch_missing(at=NOW)  # noqa: E731
    assert both(*[watch, merge(kept, sam, rosa)][::order]) == []
    watch()  # what became another client's while the job waited is found at its next turn
    assert (Measure.objects.get().client, Alert.objects.get().client) == (kept, kept)
