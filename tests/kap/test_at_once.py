"""A plan that changes, or a job that walks the plans, and another act on the same client at the same instant."""

from datetime import timedelta

import pytest

from practice import merging
from practice.kap.actions import integration, plans
from practice.kap.models import Plan, Session
from practice.models import Client, Merge, Task, User
from tests import factories
from tests.at_once import MARKS, Act, both
from tests.factories import NOW

pytestmark = MARKS


@pytest.fixture
def plan(sam: Client, maya: User) -> Plan:
    return Plan.objects.create(client=sam, therapist=maya, shape="weekly", planned=4, started_on=NOW.date())


@pytest.fixture
def kept(omar: User) -> Client:
    return factories.client(omar, "Sam Whitehorse", email="s@example.net")


def merge(kept: Client, former: Client, by: User) -> Act:
    return lambda: merging.merge(by=by, kept=kept, former=former, take=(), words="Same birth date.", at=NOW)


@pytest.mark.parametrize("order", [1, -1], ids=["session first", "merge first"])
def test_session_and_merge_are_both_kept(
    plan: Plan, sam: Client, kept: Client, maya: User, rosa: User, order: int
) -> None:
    """Law 4: a plan of the record that is being merged takes the session, and goes on in the one that stays."""
    starts = NOW + timedelta(days=2)
    add = lambda: plans.add(by=maya, plan=plan, kind="integration", starts_at=starts, said="", at=NOW)  # noqa: E731
    assert both(*[add, merge(kept, sam, rosa)][::order]) == []
    session = Session.objects.get()
    assert (Merge.objects.get().client, session.plan.client, session.starts_at) == (kept, kept, starts)


@pytest.mark.parametrize("order", [1, -1], ids=["job first", "merge first"])
def test_job_that_walks_plans_and_a_merge_are_both_done(
    plan: Plan, sam: Client, kept: Client, rosa: User, order: int
) -> None:
    Session.objects.create(
        plan=plan, kind="dosing", number=1, starts_at=NOW - timedelta(days=8), state="done", signed_at=NOW
    )
    watch = lambda: integration.watch(at=NOW)  # noqa: E731
    assert both(*[watch, merge(kept, sam, rosa)][::order]) == []
    assert Task.objects.filter(client=kept, kind="kap_integrate", done_at=None).count() == 1
