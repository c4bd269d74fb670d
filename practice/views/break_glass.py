"""Emergency access: opening a chart that is not one's own, ending it, and the queue in which it is answered for."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import F
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from practice import audit, emergencies, words
from practice.access import Permission
from practice.forms import Day, HouseForm, attempt, text, words_field
from practice.models import AuditEvent, Client, EmergencyAccess
from practice.models.emergencies import REVIEWED_WITHIN
from practice.pages import StaffRequest, record_of, staff_page
from practice.templatetags.ui import clock, moment
from practice.views.action_words import ACTION_WORDS
from practice.views.search import NUMBER

FEWEST_WORDS = 3
PER_PAGE = 50
MOST_OPENED = 200  # lines of what somebody did in their hour


class BreakGlassForm(HouseForm):
    number = text(_("Client number"), 12, help_text=_("Such as CH-0412. Or name and birth date:"))
    name = text(_("Whole name"), help_text=_("First and last name, as we have it."))
    born = Day(label=_("Birth date"), required=False)
    reason = words_field(
        _("Why you need this chart now"),
        _("Write why you need this chart now."),
        max_length=1000,
        help_text=_("The people who review it read this. Leave out what the client told you."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.helper.all_optional = True  # number, or name and day: neither is optional, one of them is enough

    def clean_reason(self) -> str:
        reason: str = self.cleaned_data["reason"]
        if len(reason.split()) < FEWEST_WORDS:
            raise forms.ValidationError(_("Write it in a few words, so that somebody else understands it."))
        return reason

    def clean_number(self) -> int | None:
        asked = str(self.cleaned_data["number"]).strip()
        if not asked:
            return None
        number = NUMBER.fullmatch(asked)
        if number is None:
            raise forms.ValidationError(_("Write the number as CH-0412."))
        return int(number[1])

    def clean(self) -> dict[str, Any]:
        said = super().clean() or {}
        if "number" in said and said["number"] is None and not (said.get("name") and said.get("born")):
            self.add_error("number", _("Write the client's number, or the whole name and the birth date."))
        return said


@staff_page(Permission.BREAK_GLASS, fresh=True)
def break_glass(request: StaffRequest) -> HttpResponse:
    """Who it is about has to be known exactly: the page says no more than that it found them, or did not."""
    form = BreakGlassForm(request.POST or None)
    if request.method == "POST":
        if form.is_valid():
            said = form.cleaned_data
            client = emergencies.find(said["number"], said["name"], said["born"])
            if client is not None:
                return _open(request, client, said["reason"])
            form.add_error(None, _("We cannot tell who is meant. Check each letter, or ask for the client number."))
        audit.record("emergency.refused", by=request.user, outcome="refused", fields=sorted(form.errors))
    return render(request, "practice/break_glass.html", {"form": form}, status=400 if form.errors else 200)


def _open(request: StaffRequest, client: Client, reason: str) -> HttpResponse:
    if Client.objects.visible_to(request.user, Permission.READ_CHART).filter(pk=client.pk).exists():
        messages.info(request, gettext("You may see this chart already. No emergency access was used."))
    else:
        access = emergencies.open_chart(by=request.user, client=client, reason=reason, at=timezone.now())
        n = len([user for user in emergencies.to_tell(access) if user != request.user])
        until = gettext("You see this chart until {time}.").format(time=clock(access.until))
        told = ngettext("{n} person was told.", "{n} people were told.", n).format(n=n) if n else ""
        messages.warning(request, f"{until} {told}".strip())
    return redirect("chart", client.pk)


@staff_page(Permission.BREAK_GLASS)
def break_glass_end(request: StaffRequest, access: UUID) -> HttpResponse:
    row = EmergencyAccess.objects.filter(pk=access, by=request.user).select_related("client").first()
    if row is None or request.method != "POST":
        raise Http404
    emergencies.end(by=request.user, access=row, at=timezone.now())
    messages.success(request, gettext("Your emergency access is over."))
    return redirect("caseload")


# --- The queue -------------------------------------------------------------------------------------------------------


class ReviewForm(HouseForm):
    words = words_field(
        _("What you found, and what follows"),
        _("Write what you found: whether it was needed, and what follows from it."),
        max_length=2000,
    )


@staff_page(Permission.REVIEW_BREAK_GLASS)
def emergency_list(request: StaffRequest) -> HttpResponse:
    """What waits for a review, by its due time; then what was reviewed, newest first."""
    at = timezone.now()
    seen = EmergencyAccess.objects.visible_to(request.user, request.permission)
    seen = seen.select_related("by", "client", "reviewed_by")
    page = Paginator(seen.exclude(reviewed_at=None).order_by(F("reviewed_at").desc()), PER_PAGE).get_page(
        request.GET.get("page")
    )
    context = {
        "waiting": [_row(row, at) for row in seen.filter(reviewed_at=None).order_by("at")],
        "done": [_row(row, at) for row in page],
        "page": page,
        "hours": REVIEWED_WITHIN.total_seconds() // 3600,
    }
    return render(request, "practice/emergency_list.html", context)


def _row(row: EmergencyAccess, at: datetime) -> dict[str, Any]:
    late = at - row.review_due_at
    due = gettext("Review due {when}").format(when=moment(row.review_due_at))
    return {
        "pk": row.pk,
        "who": row.by.name,
        "client": row.client.code,
        "at": row.at,
        "until": row.until,
        "lasts": row.lasts(at),
        "late": row.reviewed_at is None and at > row.review_due_at,
        "due": gettext("Review {time} late").format(time=words.length(late)) if at > row.review_due_at else due,
        "reviewed_by": row.reviewed_by.name if row.reviewed_by else "",
        "reviewed_at": row.reviewed_at,
    }


@staff_page(Permission.REVIEW_BREAK_GLASS)
def emergency(request: StaffRequest, access: UUID) -> HttpResponse:
    """One of them: the reason, what was opened and done meanwhile, and the words that close it."""
    at = timezone.now()
    row: EmergencyAccess = record_of(request, EmergencyAccess, access)
    form = ReviewForm(request.POST or None)
    if form.is_valid() and attempt(
        form, lambda: emergencies.review(by=request.user, access=row, words=form.cleaned_data["words"], at=at)
    ):
        messages.success(request, gettext("Reviewed."))
        return redirect("emergency_list")
    acts = AuditEvent.objects.filter(
        client_id=row.client_id, actor_id=row.by_id, at__gte=row.at, at__lte=row.until
    ).order_by("seq")[:MOST_OPENED]
    context = {
        **_row(row, at),
        "row": row,
        "acts": [{"when": act.at, "what": ACTION_WORDS.get(act.action, act.action)} for act in acts],
        "form": form,
        "may_review": row.reviewed_at is None and row.reviewable_by(request.user),
    }
    if request.method != "POST":
        audit.seen(request, row.client, "emergency", row)
    return render(request, "practice/emergency.html", context, status=400 if form.errors else 200)
