"""The clearance ledger (H3, H4): counted, dated, by dose and route, never past what a prescriber allowed."""

import threading
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection

from practice.actions import NotNow
from practice.clinical.planning import Cleared
from practice.kap.actions import clearance
from practice.kap.models import DoseClearance, DoseUse, Plan, Session
from practice.models import Client, User
from tests.factories import NOW

TODAY = NOW.date()
END = TODAY + timedelta(days=30)


def granted(pax: User, sam: Client, **said: Any) -> DoseClearance:
    terms = {"doses": 2, "until": END, "most_mg": Decimal(100), "route": "sublingual", "words": "Two, then we talk"}
    return clearance.grant(by=pax, client=sam, at=NOW, **(terms | said))


def dosing(sam: Client, number: int = 1) -> Session:
    plan = Plan.objects.filter(client=sam).first() or Plan.objects.create(
        client=sam, shape="weekly", started_on=TODAY, planned=6
    )
    return Session.objects.create(plan=plan, kind="dosing", number=number, starts_at=NOW)


def take(
    session: Session, mg: str = "100", route: str = "sublingual", last: date | None = None, days: int = 0
) -> DoseUse:
    return clearance.use(session=session, mg=Decimal(mg), route=route, last_dose_on=last, at=NOW + timedelta(days=days))


def test_nothing_is_allowed_without_a_clearance(sam: Client) -> None:
    assert clearance.ledger(sam, TODAY).cleared is None
    with pytest.raises(NotNow, match="No prescriber has cleared a dose"):
        take(dosing(sam))


def test_doses_are_counted_down_and_the_third_is_refused(sam: Client, pax: User) -> None:
    granted(pax, sam)
    assert clearance.ledger(sam, TODAY).cleared == Cleared(2, END)
    for number in (1, 2):
        take(dosing(sam, number))
    found = clearance.ledger(sam, TODAY)
    assert (found.used, found.left, found.cleared, found.lines[0].state) == (2, 0, None, "used_up")
    with pytest.raises(NotNow, match="All 2 cleared doses are used"):
        take(dosing(sam, 3))
    assert DoseUse.objects.count() == 2


def test_second_press_uses_no_second_dose(sam: Client, pax: User) -> None:
    granted(pax, sam)
    session = dosing(sam)
    assert take(session) == take(session)
    assert clearance.ledger(sam, TODAY).left == 1


def test_clearance_ends_after_its_last_day(sam: Client, pax: User) -> None:
    granted(pax, sam)
    take(dosing(sam, 1), days=30)
    with pytest.raises(NotNow, match="The clearance ended on"):
        take(dosing(sam, 2), days=31)
    with pytest.raises(NotNow, match="lies in the past"):
        granted(pax, sam, until=TODAY - timedelta(days=1))


@pytest.mark.parametrize(
    ("mg", "route", "said"),
    [
        ("100.01", "sublingual", "more than the prescriber cleared: at most 100 mg"),
        ("100", "im", "cleared another route: Under the tongue"),
    ],
)
def test_dose_past_the_clearance_is_refused_by_its_rule(sam: Client, pax: User, mg: str, route: str, said: str) -> None:
    granted(pax, sam)
    with pytest.raises(NotNow, match=said):
        take(dosing(sam), mg, route)
    assert DoseUse.objects.count() == 0


def test_doses_keep_the_distance_that_was_cleared(sam: Client, pax: User) -> None:
    granted(pax, sam, every_days=7)
    take(dosing(sam, 1))
    with pytest.raises(NotNow, match="one dose in 7 days"):
        take(dosing(sam, 2), last=TODAY, days=6)
    assert take(dosing(sam, 3), last=TODAY, days=7)


def test_withdrawal_stops_what_is_left_and_keeps_what_was_given(sam: Client, pax: User) -> None:
    row = granted(pax, sam)
    take(dosing(sam, 1))
    with pytest.raises(NotNow, match="Write why"):
        clearance.withdraw(by=pax, clearance=row, words=" ", at=NOW)
    clearance.withdraw(by=pax, clearance=row, words="Blood pressure", at=NOW)
    with pytest.raises(NotNow, match="taken back already"):
        clearance.withdraw(by=pax, clearance=row, words="Again", at=NOW)
    found = clearance.ledger(sam, TODAY)
    assert (found.used, found.left, found.lines[0].state) == (1, 0, "withdrawn")
    with pytest.raises(NotNow, match="took the clearance back"):
        take(dosing(sam, 2))


def test_clearance_that_ends_first_is_used_first(sam: Client, pax: User) -> None:
    later = granted(pax, sam, until=END + timedelta(days=60))
    sooner = granted(pax, sam)
    assert take(dosing(sam, 1)).clearance == sooner
    assert clearance.ledger(sam, END + timedelta(days=1)).cleared == Cleared(2, later.until)


def test_rows_are_never_changed(sam: Client, pax: User) -> None:
    row = granted(pax, sam)
    row.doses = 9
    with pytest.raises(ValueError, match="is not edited"):
        row.save()


@pytest.mark.django_db(transaction=True)
def test_last_dose_is_used_once_by_two_at_once(sam: Client, pax: User) -> None:
    granted(pax, sam, doses=1)
    sessions = [dosing(sam, 1), dosing(sam, 2)]
    said: list[str] = []
    gate = threading.Barrier(2)

    def press(session: Session) -> None:
        gate.wait()
        try:
            take(session)
            said.append("used")
        except NotNow as sentence:
            said.append(str(sentence))
        finally:
            connection.close()

    threads = [threading.Thread(target=press, args=(session,)) for session in sessions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(said) == ["The cleared dose is used.", "used"]
    assert DoseUse.objects.count() == 1
