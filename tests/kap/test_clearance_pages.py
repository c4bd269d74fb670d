"""The clearance ledger on its page (H3, H4): who may write it, what it says, and that a line is never changed."""

from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.test import Client as Browser
from django.urls import reverse
from django.utils.html import strip_tags

from practice.kap.actions import clearance
from practice.kap.models import DoseClearance, DoseUse, Plan, Session, Withdrawal
from practice.models import AuditEvent, Client, User
from tests.factories import NOW

As = Callable[[User], Browser]
Post = Callable[..., Any]
SAID = {
    "doses": "2", "until": "2027-01-15", "every_days": "7", "most_mg": "137.5", "route": "sublingual",
    "words": "BP fine at the visit",
}  # fmt: skip


@pytest.fixture(autouse=True)
def _now() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


def url(name: str, sam: Client, *more: Any) -> str:
    return reverse(name, args=[sam.pk, *more])


def text(response: Any) -> str:
    return " ".join(strip_tags(response.content.decode()).split())


def granted(pax: User, sam: Client, doses: int = 2) -> DoseClearance:
    return clearance.grant(
        by=pax, client=sam, doses=doses, until=date(2027, 1, 15), most_mg=Decimal("137.5"), route="sublingual",
        words="BP fine at the visit", at=NOW,
    )  # fmt: skip


def test_prescriber_clears_doses_and_the_therapist_reads_them(
    maya: User, pax: User, sam: Client, as_user: As, post: Post
) -> None:
    assert "No dose is cleared" in text(as_user(maya).get(url("clearance", sam)))
    assert post(as_user(pax), url("clearance_add", sam), SAID).status_code == 302
    row = DoseClearance.objects.get()
    assert (row.doses, row.until, row.every_days, row.most_mg, row.route, row.words, row.by) == (
        2, date(2027, 1, 15), 7, Decimal("137.5"), "sublingual", "BP fine at the visit", pax,
    )  # fmt: skip
    page = as_user(maya).get(url("clearance", sam))
    said = text(page)
    assert "2 until Jan 15, 2027" in said and "137.5 mg" in said and "One in 7 days" in said
    assert "BP fine at the visit" in said and "Pax Lind" in said
    assert ("Clear these doses" in said, "Take it back" in said) == (False, False)
    assert AuditEvent.objects.filter(action="read.clearance", client_id=sam.pk).count() == 2


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("doses", "0", "How many doses: 1 or more."),
        ("doses", "many", "number of doses in digits"),
        ("until", "2026-11-18", "The last day lies in the past"),
        ("until", "", "Choose the last day"),
        ("most_mg", "0.1", "in milligrams, not in grams"),
        ("most_mg", "NaN", "Write the dose as a number"),
        ("most_mg", "1e9", "Write the dose in milligrams"),
        ("most_mg", "", "Write the largest dose"),
        ("route", "", "Choose the route"),
        ("route", "iv", "not one of the available choices"),
    ],
)
def test_wrong_input_is_answered_in_a_sentence_and_nothing_is_lost(
    pax: User, sam: Client, as_user: As, post: Post, field: str, value: str, sentence: str
) -> None:
    response = post(as_user(pax), url("clearance_add", sam), SAID | {field: value})
    assert (response.status_code, sentence in text(response)) == (400, True)
    assert "BP fine at the visit" in text(response)
    assert DoseClearance.objects.count() == 0


def test_nobody_but_a_prescriber_clears_or_takes_back(
    maya: User, sol: User, fay: User, omar: User, pax: User, sam: Client, as_user: As, post: Post
) -> None:
    row = granted(pax, sam)
    seen = {
        who.name: (
            as_user(who).get(url("clearance", sam)).status_code,
            post(as_user(who), url("clearance_add", sam), SAID).status_code,
            post(as_user(who), url("clearance_withdraw", sam, row.pk), {"words": "x"}).status_code,
        )
        for who in (maya, sol, fay, omar)
    }
    assert seen == {
        "Maya Torres": (200, 403, 403),
        "Sol Amari": (200, 403, 403),
        "Fay Moss": (403, 403, 403),
        "Omar Haddad": (404, 403, 403),
    }
    assert (DoseClearance.objects.count(), Withdrawal.objects.count()) == (1, 0)


def test_clearance_is_taken_back_with_words_and_stays_in_the_ledger(
    pax: User, sam: Client, as_user: As, post: Post
) -> None:
    row = granted(pax, sam)
    browser, back = as_user(pax), url("clearance_withdraw", sam, row.pk)
    assert post(browser, back, {"words": " "}).status_code == 400
    assert post(browser, back, {"words": "New blood pressure readings"}).status_code == 302
    said = text(browser.get(url("clearance", sam)))
    assert "New blood pressure readings" in said and "Taken back" in said and "by you" in said
    again = post(browser, back, {"words": "Twice"})
    assert (again.status_code, "taken back already" in text(again)) == (400, True)
    assert clearance.ledger(sam, NOW.date()).left == 0


def test_used_and_left_are_counted(maya: User, pax: User, sam: Client, as_user: As) -> None:
    row = granted(pax, sam)
    plan = Plan.objects.create(client=sam, shape="weekly", planned=2, started_on=NOW.date())
    session = Session.objects.create(plan=plan, kind="dosing", number=1, starts_at=NOW, state="done")
    DoseUse.objects.create(clearance=row, session=session, at=NOW)
    page = as_user(maya).get(url("clearance", sam)).content.decode()
    sums = page.split('id="sum-h"')[1]
    assert "<dt>Used</dt><dd>1</dd>" in sums and "<dt>Left</dt><dd>1</dd>" in sums


def test_line_of_another_client_cannot_be_taken_back_from_here(
    pax: User, sam: Client, kit: Client, as_user: As, post: Post
) -> None:
    Client.objects.filter(pk=kit.pk).update(prescriber=pax)
    theirs = granted(pax, kit)
    assert post(as_user(pax), url("clearance_withdraw", sam, theirs.pk), {"words": "x"}).status_code == 404
    assert Withdrawal.objects.count() == 0


def test_line_is_never_changed(pax: User, sam: Client) -> None:
    row = granted(pax, sam)
    row.doses = 20
    with pytest.raises(ValueError, match="not edited"):
        row.save()
