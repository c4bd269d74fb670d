"""The staff side of the public pages: who asked, what becomes of it, and what stands on the page."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.db import transaction
from django.db.models import Q
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from intake import arrivals
from intake import enquiries as acts
from intake.views.inviting import NewClientForm, admit_and_invite, previews
from practice import alike, audit, places
from practice.access import Permission
from practice.actions import NotNow
from practice.forms import HouseForm, text, words_field
from practice.models import Client, Enquiry, Merge, PublicPages, Site, User
from practice.pages import StaffRequest, staff_page
from practice.templatetags.ui import moment
from practice.views import choosing
from practice.views.clients import CHANNELS, conflict

PAGE = 50
MOST_ALIKE = 5
SHOWS = {"": _("Waiting"), "answered": _("Answered")}
State = Enquiry.State


@staff_page(Permission.ANSWER_ENQUIRY)
def enquiries(request: StaffRequest) -> HttpResponse:
    at = timezone.now()
    show = choosing.asked(request, "show", list(SHOWS), "")
    waiting = Enquiry.objects.waiting()
    found = Enquiry.objects.exclude(state=State.WAITING) if show else waiting
    order = ["-at", "-pk"] if show else ["at", "pk"]
    page = places.stretch(found.select_related("answered_by"), order, f"enquiries|{show}",
                          request.GET.get("after", ""), PAGE)  # fmt: skip
    known = _known(request.user, page.rows) if not show else set()
    audit.record("read.enquiries", by=request.user, shown=len(page.rows))
    chosen = {"show": show}
    context = {
        "rows": [_row(row, at, known) for row in page.rows],
        "tabs": [choosing.link(chosen, "show", name, label, name == show) for name, label in SHOWS.items()],
        "answered": bool(show),
        "more": choosing.url(chosen | {"after": page.next}) if page.next else "",
        "top": choosing.url(chosen),
        "is_first": page.is_first,
        "is_open": PublicPages.get().is_open,
        "new": arrivals.waiting(request.user).count(),
    }
    return render(request, "intake/enquiries.html", context)


def _known(user: User, rows: Any) -> set[str]:
    """The indexes of e-mail and phone, of these rows, that belong to clients whom this person may see."""
    mails = {row.email_index for row in rows if row.email_index}
    phones = {row.phone_index for row in rows if row.phone_index}
    mine = Client.objects.visible_to(user)
    theirs = mine.filter(Q(email_index__in=mails) | Q(phone_index__in=phones)).values_list("email_index", "phone_index")
    merged = Merge.objects.filter(client__in=mine.values("pk"), undone_at=None).filter(
        Q(former__email_index__in=mails) | Q(former__phone_index__in=phones)
    )
    found = [*theirs, *merged.values_list("former__email_index", "former__phone_index")]
    return {index for pair in found for index in pair if index}


def _row(row: Enquiry, at: datetime, known: set[str]) -> dict[str, Any]:
    waits = row.state == State.WAITING
    return {
        "pk": row.pk,
        "name": row.name,
        "at": row.at,
        "ways": ways(row),
        "about": row.about,
        "due": gettext("Told they hear from us by {when}").format(when=moment(row.answer_by)),
        "late": waits and row.answer_by <= at,
        "known": bool({row.email_index, row.phone_index} & known),
        "state": row.get_state_display(),
        "by": row.answered_by,
        "answered_at": row.answered_at,
    }


def ways(row: Enquiry) -> str:
    """The ways they ticked, as one line."""
    return ", ".join(str(label).lower() for name, label in CHANNELS if (row.reach or {}).get(name))


# --- One of them -----------------------------------------------------------------------------------------------------


class KnownForm(HouseForm):
    client = forms.ModelChoiceField(
        label=_("Which client"),
        queryset=Client.objects.none(),
        widget=forms.RadioSelect,
        empty_label=None,
        error_messages={"required": _("Choose the client."), "invalid_choice": _("Choose one of these clients.")},
    )
    words = words_field(_("What you told them"), _("Write what you told them."), rows=2)

    def __init__(self, *args: Any, same: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["client"].queryset = same  # type: ignore[attr-defined]
        self.fields["client"].label_from_instance = lambda one: f"{one.name}, {one.code}"  # type: ignore[attr-defined]


class DeclineForm(HouseForm):
    words = words_field(
        _("What you told them, or why nobody did"),
        _("Write what you told them, or why nobody did."),
        rows=2,
        help_text=_("After 90 days all of it is deleted."),
    )


@staff_page(Permission.ANSWER_ENQUIRY)
def enquiry(request: StaffRequest, pk: UUID) -> HttpResponse:
    """Who asked and how to reach them; beside it, what may become of it."""
    row = Enquiry.objects.filter(pk=pk).select_related("answered_by").first()
    if row is None:
        raise Http404
    at, user = timezone.now(), request.user
    same = Client.objects.visible_to(user).filter(alike.by_contact(row.email_index, row.phone_index)).order_by("number")
    act = request.POST.get("act", "") if request.method == "POST" else ""
    invite = NewClientForm(request.POST if act == "invite" else None, user=user, initial=_initial(row))
    known = KnownForm(request.POST if act == "known" else None, same=same)
    decline = DeclineForm(request.POST if act == "decline" else None)
    form = {"invite": invite, "known": known, "decline": decline}.get(act)
    if form is not None and form.is_valid():
        try:
            said = _settle(user, row, act, form, at)
        except NotNow as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, said)
            return redirect("enquiries")
    if request.method != "POST":
        audit.record("read.enquiry", by=user, client=row.client_id, target=row)
    clients = list(same[:MOST_ALIKE])
    context = {
        "row": row,
        "waits": row.state == State.WAITING,
        "late": row.state == State.WAITING and row.answer_by <= at,
        "due": gettext("Told they hear from us by {when}").format(when=moment(row.answer_by)),
        "ways": ways(row),
        "note": (row.reach or {}).get("note", ""),
        "of": Client.objects.visible_to(user).filter(pk=row.client_id).first(),
        "same": clients,
        "before": list(Enquiry.objects.alike(row).order_by("-at")[:MOST_ALIKE]),
        "invite": invite,
        "known": known,
        "decline": decline,
        "form": form or invite,
        "previews": previews(request.practice, invite["packet"].value(), invite["language"].value()),
    }
    return render(request, "intake/enquiry.html", context, status=400 if form is not None and form.errors else 200)


def _initial(row: Enquiry) -> dict[str, Any]:
    reach = row.reach or {}
    return {
        "name_used": row.name,
        "email": row.email,
        "phone": row.phone,
        "channels": [name for name, _label in CHANNELS if reach.get(name)],
        "reach_note": reach.get("note", ""),
        "language": row.language,
    }


@transaction.atomic
def _settle(user: User, row: Enquiry, act: str, form: Any, at: datetime) -> str:
    """Do what was chosen, all of it or nothing. Returns what to say."""
    said = form.cleaned_data
    if act == "invite":
        client = admit_and_invite(user, form, at)
        acts.settle(by=user, enquiry=row, state=State.INVITED, client=client, at=at)
        return gettext("{name} is a client now. Their forms are on the way.").format(name=client.name)
    if act == "known":
        client = said["client"]
        acts.settle(by=user, enquiry=row, state=State.KNOWN, client=client, words=said["words"], at=at)
        return gettext("Kept in the record of {name}.").format(name=client.name)
    acts.settle(by=user, enquiry=row, state=State.DECLINED, words=said["words"], at=at)
    return gettext("Kept. It is deleted 90 days after it came.")


# --- What stands on the pages ----------------------------------------------------------------------------------------


class PublicPagesForm(HouseForm):
    is_open = forms.BooleanField(
        label=_("The public pages are open"),
        required=False,
        help_text=_("Anyone may read about the ways of care, and ask you to contact them."),
    )
    starts_open = forms.BooleanField(
        label=_("People may begin the forms by themselves"),
        required=False,
        help_text=_(
            "After a one-time code, without an invitation. They wait as new people until somebody here chooses their "
            "therapist; a safety answer reaches who is on call at once."
        ),
    )
    starts_site = forms.ModelChoiceField(
        label=_("Site at which they begin"), queryset=Site.objects.all(), required=False, empty_label=_("Choose a site")
    )
    cost_kap = text(
        _("What it costs: here, with the therapist"),
        240,
        help_text=_("In your words, as people read it. Leave empty, and the page says to ask you."),
    )
    cost_infusion = text(_("What it costs: at an infusion clinic"), 240)
    cost_home = text(_("What it costs: at home"), 240)
    cost_hospital = text(_("What it costs: at a hospital"), 240)
    version = forms.IntegerField(widget=forms.HiddenInput, min_value=1, max_value=2**31 - 1)

    def clean(self) -> dict[str, Any]:
        said = super().clean() or {}
        wanted = PublicPages(starts_site=said.get("starts_site"))
        if said.get("starts_open") and (missing := arrivals.lacking(wanted)):
            self.add_error("starts_open" if arrivals.site_of(wanted) else "starts_site", missing)
        return said

    @classmethod
    def initial_of(cls, pages: PublicPages) -> dict[str, Any]:
        return {name: getattr(pages, name) for name in cls.base_fields}


@staff_page(Permission.MANAGE_PRACTICE)
def public_pages(request: StaffRequest) -> HttpResponse:
    pages = PublicPages.get()
    if request.method == "POST":
        PublicPages.objects.get_or_create(pk=1)
        pages = PublicPages.objects.select_for_update(no_key=True).get(pk=1)
    form = PublicPagesForm(request.POST or None, initial=PublicPagesForm.initial_of(pages))
    if request.method != "POST" or not form.is_valid():
        context = {
            "form": form,
            "options_url": reverse("options_page"),
            "is_open": pages.is_open,
            "missing": arrivals.lacking(pages) if pages.starts_open else "",
        }
        return render(request, "intake/public_pages.html", context, status=400 if form.errors else 200)
    said = form.cleaned_data
    if said["version"] != pages.version:
        theirs = PublicPagesForm(initial=PublicPagesForm.initial_of(pages))
        return conflict(request, gettext("Somebody changed this first"), form, theirs, pages.version)
    changed = [name for name in form.fields if name != "version" and getattr(pages, name) != said[name]]
    for name in changed:
        setattr(pages, name, said[name])
    pages.version += 1
    pages.save()
    audit.record("public_pages.edited", by=request.user, target=pages, fields=changed)
    messages.success(request, gettext("Saved."))
    return redirect("public_pages")
