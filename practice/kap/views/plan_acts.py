"""Changing a plan: each act takes one form of its page."""

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext, ngettext

from practice.access import Permission
from practice.actions import NotNow
from practice.forms import HouseForm
from practice.kap.actions import plans, weighing
from practice.kap.models import Plan, Session
from practice.kap.views.plan import liftable, page, plan_of
from practice.kap.views.plan_forms import AddForm, EndForm, MoveForm, OfPlan, OverrideForm, SkipForm
from practice.pages import StaffRequest, staff_page
from practice.templatetags.ui import moment

P = Permission
State = Session.State

Make = Callable[[Plan], HouseForm]
Do = Callable[[Plan, dict[str, Any], datetime, int | None], str]


def _act(request: StaffRequest, pk: UUID, make: Make, do: Do) -> HttpResponse:
    """Take one form of the page: done and back to the page, or the page with what was written and why not."""
    at, row = timezone.now(), plan_of(request, pk)
    if request.method != "POST":
        return redirect(row)
    seen = request.POST.get("seen", "")
    with timezone.override(row.tz()):
        form = make(row)
        if form.is_valid():
            try:
                with transaction.atomic():
                    said = do(row, form.cleaned_data, at, int(seen) if seen.isdecimal() and len(seen) < 10 else None)
            except NotNow as sentence:
                form.add_error(None, str(sentence))
                row = plan_of(request, pk)
            else:
                messages.success(request, said)
                return redirect(row)
        return page(request, row, at, wrong=form)


@staff_page(P.PLAN_KAP)
def plan_move(request: StaffRequest, plan: UUID) -> HttpResponse:
    def do(row: Plan, said: dict[str, Any], at: datetime, seen: int | None) -> str:
        moved = plans.move(
            by=request.user,
            session=said["session"],
            starts_at=said["starts_at"],
            said=said["said"],
            with_rest=said["with_rest"],
            at=at,
            seen=seen,
        )
        return gettext("Moved: {session}, now {when}.").format(session=moved, when=moment(moved.starts_at))

    return _act(request, plan, lambda row: MoveForm(request.POST, plan=row), do)


@staff_page(P.PLAN_KAP)
def plan_add(request: StaffRequest, plan: UUID) -> HttpResponse:
    def do(row: Plan, said: dict[str, Any], at: datetime, seen: int | None) -> str:
        made = plans.add(
            by=request.user,
            plan=row,
            kind=said["kind"],
            starts_at=said["starts_at"],
            said=said["said"],
            at=at,
            seen=seen,
        )
        if made.state == State.WAITING:
            return gettext("Added: {session}. It waits for the prescriber.").format(session=made)
        return gettext("Added: {session}.").format(session=made)

    return _act(request, plan, lambda row: AddForm(request.POST, plan=row), do)


@staff_page(P.PLAN_KAP)
def plan_skip(request: StaffRequest, plan: UUID) -> HttpResponse:
    """Leave a session out, or note that the client missed it."""

    def do(row: Plan, said: dict[str, Any], at: datetime, seen: int | None) -> str:
        plans.skip(by=request.user, session=said["session"], said=said["said"], missed=said["missed"], at=at, seen=seen)
        return gettext("Noted as missed.") if said["missed"] else gettext("Left out.")

    return _act(request, plan, lambda row: SkipForm(request.POST, plan=row), do)


@staff_page(P.PLAN_KAP)
def plan_book_more(request: StaffRequest, plan: UUID) -> HttpResponse:
    """Book what waited, now that it is cleared."""

    def do(row: Plan, said: dict[str, Any], at: datetime, seen: int | None) -> str:
        n = plans.book_more(by=request.user, plan=row, at=at, seen=seen)
        return ngettext("{n} session booked.", "{n} sessions booked.", n).format(n=n)

    return _act(request, plan, lambda row: OfPlan(request.POST, plan=row), do)


@staff_page(P.PLAN_KAP)
def plan_end(request: StaffRequest, plan: UUID) -> HttpResponse:
    """Complete the plan or stop it, with words why; the end measure goes out."""

    def do(row: Plan, said: dict[str, Any], at: datetime, seen: int | None) -> str:
        plans.end(by=request.user, plan=row, state=said["state"], said=said["said"], at=at, seen=seen)
        return gettext("The plan has ended. The check-in at the end goes out, and those that follow are planned.")

    return _act(request, plan, lambda row: EndForm(request.POST, plan=row), do)


@staff_page(P.CLEAR_DOSES)
def plan_override(request: StaffRequest, plan: UUID) -> HttpResponse:
    """A prescriber lifts a limit for this plan, with the reason."""

    def make(row: Plan) -> HouseForm:
        found = weighing.weigh(row, timezone.now())
        return OverrideForm(request.POST, plan=row, codes=liftable(found.conflicts))

    def do(row: Plan, said: dict[str, Any], at: datetime, seen: int | None) -> str:
        plans.override(by=request.user, plan=row, codes=said["codes"], said=said["said"], at=at, seen=seen)
        return gettext("Written down. What waited only for this is booked.")

    return _act(request, plan, make, do)
