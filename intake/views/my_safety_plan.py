"""The client's safety plan on their own page, and the copy of it that they may keep on this phone."""

from datetime import datetime
from functools import cache
from pathlib import Path

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext

from intake.doors import Link, home_page, show
from intake.home import Line, Shown
from practice import audit, safety_plan
from practice.models import Client, SafetyPlan
from practice.pages import public
from practice.sealed import blind
from practice.templatetags.ui import full_day

WORKER = Path(__file__).parent.parent / "worker.js"


def given(client: Client) -> SafetyPlan | None:
    """The newest version that was put on the client's own page."""
    found: SafetyPlan | None = SafetyPlan.objects.filter(client=client, given_at__isnull=False).first()
    return found


def line(link: Link, at: datetime) -> Line | None:
    plan = given(link.client)
    if plan is None:
        return None
    return Line(
        title=gettext("My safety plan"),
        text=gettext("Made on %(day)s. Your steps, and numbers to call.") % {"day": full_day(plan.finished_at)},
        url=reverse("my_safety_plan"),
        label=gettext("Open my safety plan"),
    )


def for_person(link: Link, at: datetime) -> Shown:
    """The plan that was given, for somebody whom the client trusts."""
    plan = given(link.client)
    if plan is None:
        return Shown(said=[gettext("There is no safety plan yet.")])
    return Shown(template="intake/_plan.html", context=_shown(plan) | {"title": gettext("My safety plan")})


@home_page
def my_safety_plan(request: HttpRequest) -> HttpResponse:
    link: Link = request.link  # type: ignore[attr-defined]
    plan = given(link.client)
    if plan is None:
        return show(request, "intake/safety_plan_none.html")
    audit.record("safety_plan.opened", by=link.client, client=link.client, target=plan, at=timezone.now())
    return show(request, "intake/safety_plan.html", _shown(plan))


def _shown(plan: SafetyPlan) -> dict[str, object]:
    return {
        "plan": plan,
        "title": gettext(safety_plan.form().title),
        "sections": safety_plan.shown(plan.steps),
        "whose": blind("kept plan", str(plan.client_id)),  # tells two clients on one phone apart, and nothing else
    }


@home_page
def my_safety_plan_kept(request: HttpRequest) -> HttpResponse:
    """The same plan as a page that stands alone: what the phone keeps. No name, no way into other pages, no form."""
    link: Link = request.link  # type: ignore[attr-defined]
    plan = given(link.client)
    if plan is None:
        raise Http404
    return render(request, "intake/safety_plan_kept.html", _shown(plan) | {"messages": [], "is_kept": True})


@home_page
def my_safety_plan_pdf(request: HttpRequest) -> HttpResponse:
    link: Link = request.link  # type: ignore[attr-defined]
    plan = given(link.client)
    if plan is None:
        raise Http404
    audit.record("safety_plan.downloaded", by=link.client, client=link.client, target=plan, at=timezone.now())
    return safety_plan.download(plan, link.practice)


@public
def safety_plan_worker(request: HttpRequest) -> HttpResponse:
    """The script that opens the kept copy. It stands here, not among the static files: its address is its reach."""
    return HttpResponse(_worker(), content_type="text/javascript; charset=utf-8")


@cache
def _worker() -> str:
    return WORKER.read_text(encoding="utf-8")
