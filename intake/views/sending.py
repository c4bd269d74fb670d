"""Check the answers, send them, and what comes after."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from intake import actions, copies, editions, flow
from intake.doors import Link, called, client_page, is_at_home, is_here, see_other, show
from intake.models import Signature
from intake.packet import Page
from intake.spoken import of_text, spoken, title
from practice import audit, coverage
from practice.actions import NotNow

SKIPPED = _("Skipped: you would like to talk about this in person")


@client_page
def my_check(request: HttpRequest) -> HttpResponse:
    link: Link = request.link  # type: ignore[attr-defined]
    sitting = link.intake
    if sitting is None:
        return see_other("my_start")
    if sitting.submitted_at is not None:
        return see_other("my_done")
    at, practice = timezone.now(), link.practice
    wanted, replies = editions.applied(actions.packet_of(sitting), sitting), actions.replies_of(sitting)
    world = actions.world(practice, actions.alert_of(sitting), wanted, at)
    shown = flow.pages(wanted, replies, world)
    if link.person is not None:
        shown = flow.asked_of_guardian(shown)
    lacking = flow.missing(shown, replies)
    keys = list(dict.fromkeys(page.section for page in shown))
    return show(
        request,
        "intake/check.html",
        {
            "groups": [
                (title(wanted, key), [_row(page, replies) for page in shown if page.section == key]) for key in keys
            ],
            "lacking": [
                {"text": page.missing or page.text, "href": _change(page), "language": of_text(page)}
                for page in map(spoken, lacking)
            ],
            "number": len(keys) + 1,
            "read_by": coverage.read_by(at, practice, link.client.therapist),
            "left_out": flow.left_out(wanted, replies, world),
            "last_url": reverse("my_page", args=[shown[-1].slug]) if shown else reverse("my_start"),
        },
    )


def _change(page: Page) -> str:
    return reverse("my_page", args=[page.slug]) + "?from=check"


def _row(page: Page, replies: flow.Replies) -> dict[str, Any]:
    row = row_of(page, replies)
    signed = page.kind == "agreement" and row["value"]
    return row | {"url": _change(page), "link": gettext("Read") if signed else ""}  # a signature stays as it is


def row_of(page: Page, replies: flow.Replies) -> dict[str, Any]:
    """A question with its answer in words, in the language of the page where the words are ours."""
    reply, page = replies.get(page.slug), spoken(page)
    skipped = reply is not None and reply.skipped
    return {
        "label": page.text,
        "language": of_text(page),
        "value": str(SKIPPED) if skipped else "\n".join(flow.words(page, flow.value_of(replies, page.slug))),
        "ours": page.kind == "agreement" or skipped,
    }


@client_page
def my_send(request: HttpRequest) -> HttpResponse:
    link: Link = request.link  # type: ignore[attr-defined]
    if request.method != "POST" or link.intake is None:
        return see_other("my_check")
    try:
        actions.submit(by=link.client, sitting=link.intake, at=timezone.now(), person=link.person)
    except NotNow as trouble:
        messages.error(request, str(trouble))
        return see_other("my_check")
    return see_other("my_done")


@client_page
def my_done(request: HttpRequest) -> HttpResponse:
    link: Link = request.link  # type: ignore[attr-defined]
    sitting = link.intake
    if sitting is None or sitting.submitted_at is None:
        return see_other("my_start")
    practice = link.practice
    here = is_here(request)
    signed = [] if link.receipt or here else list(_signed(link).order_by("signed_at"))
    named = editions.titles(signed)
    return show(
        request,
        "intake/done.html",
        {
            "therapist": called(link.client, practice),
            "sent_at": sitting.submitted_at,
            "read_by": coverage.read_by(sitting.submitted_at, practice, link.client.therapist),
            "copies": [
                {
                    "url": reverse("my_copy", args=[row.pk]),
                    "title": named[row.document, row.version],
                    "language": row.language,
                }
                for row in signed
            ],
            "flagged": not link.receipt and actions.alert_of(sitting) is not None,
            "receipt": link.receipt,
            "here": here,
            "at_home": is_at_home(request, link.client.pk),
            "by_guardian": sitting.answered_by is not None,
        },
    )


def _signed(link: Link) -> QuerySet[Signature]:
    """What was signed in this sitting; of a guardian, what they signed themselves."""
    rows = Signature.objects.filter(intake=link.intake)
    return rows if link.person is None else rows.filter(signed_by=link.person)


@client_page
def my_copy(request: HttpRequest, pk: UUID) -> HttpResponse:
    """The signed agreement as a PDF, in the browser that signed it (or after the code)."""
    link: Link = request.link  # type: ignore[attr-defined]
    may_see = link.intake is not None and not link.receipt and not is_here(request)
    found = _signed(link).filter(pk=pk).first() if may_see else None
    if found is None:
        raise Http404
    audit.record(
        "copy.downloaded", by=link.person or link.client, client=link.client, target=found, document=found.document
    )
    return copies.download(found)
