"""What a clinic says, and an act on its client's record at the same instant: both are kept, each at its first try."""

from typing import Any

import pytest

from practice import merging
from practice.actions import raise_manual_flag
from practice.models import Alert, Client, Merge, Task, User
from referrals.actions import desk, releases
from referrals.models import Referral
from referrals.states import Event, State
from tests import factories
from tests.at_once import MARKS, Act, both
from tests.factories import NOW
from tests.referrals import cases
from tests.referrals.referring import happens, key, referral_in

pytestmark = MARKS
ORDER = pytest.mark.parametrize("order", [1, -1], ids=["clinic first", "practice first"])


@pytest.fixture
def kept(omar: User) -> Client:
    return factories.client(omar, "Sam Whitehorse", email="s@example.net")


@pytest.fixture
def referral(sam: Client, maya: User) -> Referral:
    return referral_in(State.SENT, sam, maya)


@pytest.fixture
def known(referral: Referral) -> dict[str, Any]:
    assert referral.destination is not None
    return {"referral": referral, "key": key(referral.destination), "name": "Cleo", "at": NOW}


def merge(kept: Client, former: Client, by: User) -> Act:
    return lambda: merging.merge(by=by, kept=kept, former=former, take=(), words="Same birth date.", at=NOW)


@ORDER
def test_event_and_a_flag_are_both_kept(referral: Referral, sam: Client, maya: User, order: int) -> None:
    """The event is in the trail before its item moves the client in the caseload; the flag holds the client first."""
    decline = lambda: happens(referral, Event.DECLINE, maya)  # noqa: E731
    flag = lambda: raise_manual_flag(by=maya, client=sam, severity="urgent", reason="Said so.", at=NOW)  # noqa: E731
    assert both(*[decline, flag][::order]) == []
    assert Referral.objects.get().state == State.DECLINED
    assert set(Task.objects.filter(client=sam, done_at=None).values_list("kind", flat=True)) == {"declined", "safety"}


@ORDER
def test_worry_of_the_clinic_and_a_merge_are_both_kept(
    known: dict[str, Any], sam: Client, kept: Client, rosa: User, order: int
) -> None:
    """Law 1: told of the record that is being merged, the flag stands in the one that stays."""
    told = {"phone": "", "words": "She said that she cannot go on.", "happened_at": None, "safe_now": "no"}
    worry = lambda: desk.report_safety(**known, **told)  # noqa: E731
    assert both(*[worry, merge(kept, sam, rosa)][::order]) == []
    flag = Alert.objects.get()
    assert (Merge.objects.get().client, flag.client, flag.severity) == (kept, kept, "urgent")


@ORDER
def test_event_and_a_merge_are_both_kept(
    referral: Referral, sam: Client, kept: Client, maya: User, rosa: User, order: int
) -> None:
    accept = lambda: happens(referral, Event.ACCEPT, maya)  # noqa: E731
    assert both(*[accept, merge(kept, sam, rosa)][::order]) == []
    row = Referral.objects.get()
    assert (Merge.objects.get().client, row.client, row.state) == (kept, kept, State.ACCEPTED)


@ORDER
def test_release_taken_back_and_a_merge_are_both_kept(sam: Client, kept: Client, rosa: User, order: int) -> None:
    """Law 3: what the client took back is taken back, whichever record it hangs on by then."""
    release = cases.released(sam, cases.clinic())
    revoke = lambda: releases.revoke(by=sam, release=release, at=NOW)  # noqa: E731
    assert both(*[revoke, merge(kept, sam, rosa)][::order]) == []
    release.refresh_from_db()
    assert (release.client, release.revoked_at) == (kept, NOW)
