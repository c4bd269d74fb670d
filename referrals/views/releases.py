"""Releases of information, for staff: what is on file, asking, signing here, taking back, and what left by them."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import BadRequest
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from practice import audit, places
from practice.access import Permission
from practice.actions import NotNow
from practice.models import Client
from practice.pages import StaffRequest, client_of, device_of, record_of, staff_page
from practice.templatetags.ui import full_day, moment
from practice.views.chart import SIDE, Panel, named
from referrals import disclosure, release_copies, release_text
from referrals.actions import releases as actions
from referrals.models import Referral, Release, Section
from referrals.states import State
from referrals.views.release_forms import PAPER, SEND, ReleaseForm, RevokeForm, SignForm, uuid_of
from referrals.views.release_rows import disclosure_row, look, method_words, short_labels

PER_PAGE = 30
PURPOSE = _("So that they can decide with you whether this care fits, plan it, and give it.")


# --- On the chart ----------------------------------------------------------------------------------------------------


def panel(request: HttpRequest, client: Client, at: datetime) -> Panel | None:
    """What is on file now, with the way to all of it."""
    if not request.user.may(Permission.ASK_RELEASE):  # type: ignore[union-attr]
        return None
    today = timezone.localdate(at)
    rows = [row for row in client.releases.order_by("-asked_at") if row.stands(today) in SHOWN_ON_CHART]
    return Panel("referrals/releases_panel.html", {"rows": [look(row, today) for row in rows]}, SIDE)


SHOWN_ON_CHART = (disclosure.OK, disclosure.NOT_SIGNED)


# --- The page --------------------------------------------------------------------------------------------------------


@staff_page(Permission.ASK_RELEASE)
def releases(request: StaffRequest, pk: UUID) -> HttpResponse:
    """Every release of this client and everything that left about them."""
    at, client = timezone.now(), client_of(request, pk)
    audit.seen(request, client, "releases")
    today = timezone.localdate(at)
    waiting = set(client.tasks.filter(kind="release", done_at=None).values_list("subject_id", flat=True))
    on_file = client.releases.select_related("asked_by", "witness", "revoked_by").order_by("-asked_at")
    left = client.disclosures.select_related("by")
    found = places.stretch(left, ["-at", "-id"], f"disclosures {client.pk}", request.GET.get("after", ""), PER_PAGE)
    context = {
        "client": client,
        "rows": [_row(request, release, today, release.pk in waiting) for release in on_file],
        "disclosures": [disclosure_row(row, request.user) for row in found.rows],
        "next": found.next,
        "is_first": found.is_first,
        "back": back_to(request, client),
        "may_ask": client.status not in Client.LEFT,
    }
    return render(request, "referrals/releases.html", context)


def _row(request: StaffRequest, release: Release, today: date, is_open_item: bool) -> dict[str, Any]:
    shown = look(release, today)
    code = shown["code"]
    return shown | {
        "facts": [fact for fact in _facts(release, request.user) if fact["value"]],
        "may_sign": code == disclosure.NOT_SIGNED,
        "may_take_back": release.revoked_at is None and code != disclosure.EXPIRED,
        "is_signed": release.signed_at is not None,
        "is_item": is_open_item,
        "again": code in (disclosure.EXPIRED, disclosure.REVOKED, actions.ENDS),
    }


def _facts(release: Release, reader: Any) -> list[dict[str, str]]:
    signed = ""
    if release.signed_at is not None:
        signed = gettext("{day}, {name}, {how}").format(
            day=full_day(release.signed_at), name=release.typed_name, how=method_words(release, reader)
        )
    taken_back = ""
    if release.revoked_at is not None:
        who = named(release.revoked_by, reader) if release.revoked_by else gettext("the client")
        taken_back = gettext("{when}, by {who}").format(when=moment(release.revoked_at), who=who)
        if release.revoked_words:
            taken_back += f": {release.revoked_words}"
    return [
        {"label": gettext("What they get"), "value": ", ".join(short_labels(release.sections))},
        {"label": gettext("What it is for"), "value": release.purpose},
        {"label": gettext("Part 2 consent"), "value": gettext("Yes, 42 CFR 2.31") if release.part2 else ""},
        {
            "label": gettext("Asked for"),
            "value": gettext("{when}, by {who}").format(
                when=moment(release.asked_at), who=named(release.asked_by, reader)
            ),
        },
        {"label": gettext("Signed"), "value": signed},
        {"label": gettext("Taken back"), "value": taken_back},
    ]


def back_to(request: StaffRequest, client: Client) -> str:
    """The chart for who reads it, else the caseload."""
    if Client.objects.visible_to(request.user, Permission.READ_CHART).filter(pk=client.pk).exists():
        return reverse("chart", args=[client.pk])
    return reverse("caseload")


# --- Asking ----------------------------------------------------------------------------------------------------------


@staff_page(Permission.ASK_RELEASE)
def release_new(request: StaffRequest, pk: UUID) -> HttpResponse:
    at, client = timezone.now(), client_of(request, pk)
    form = ReleaseForm(request.practice, request.POST or None, initial=_proposed(request, client, at))
    if request.method == "POST" and form.is_valid():
        said = dict(form.cleaned_data)
        how = said.pop("how")
        try:
            with transaction.atomic():
                made = actions.ask(by=request.user, client=client, at=at, **({"part2": False} | said))
                if how == SEND:
                    actions.tell(by=request.user, release=made, at=at)
        except NotNow as sentence:
            form.add_error(None, str(sentence))
        else:
            if how != SEND:
                return redirect(f"{reverse('release_sign', args=[client.pk, made.pk])}?how={how}")
            messages.success(request, gettext("Sent. They read and sign it on their own page."))
            return redirect("releases", client.pk)
    if request.method != "POST":
        audit.seen(request, client, "releases")
    context = {"client": client, "form": form, "is_empty": not form.fields["destination"].queryset.exists()}  # type: ignore[attr-defined]
    return render(request, "referrals/release_new.html", context, status=400 if form.errors else 200)


def _proposed(request: StaffRequest, client: Client, at: datetime) -> dict[str, Any]:
    """What the form begins with: an earlier release to ask for again, or what a draft is to tell; else no tick."""
    proposed: dict[str, Any] = {
        "purpose": PURPOSE,
        "expires_on": timezone.localdate(at) + actions.LASTS,
        "how": SEND,
        "destination": uuid_of(request.GET.get("destination", "")),
    }
    draft = _theirs(client.referrals, request.GET.get("referral", ""))
    if draft is not None:
        proposed["sections"] = [section.value for section in Section if section not in draft.withheld]
    earlier = _theirs(client.releases, request.GET.get("again", ""))
    if earlier is not None:
        proposed |= {
            "destination": earlier.destination_id,
            "sections": earlier.sections,
            "purpose": earlier.purpose,
            "part2": earlier.part2,
        }
    return proposed


def _theirs(rows: Any, named: str) -> Any:
    """The row of this client that the address names; one of somebody else's is unknown."""
    if not named:
        return None
    found = rows.filter(pk=uuid_of(named)).first()
    if found is None:
        raise Http404
    return found


# --- One release -----------------------------------------------------------------------------------------------------


def _release(request: StaffRequest, pk: UUID, release: UUID) -> Release:
    found: Release = record_of(request, Release, release, of=pk)
    return found


@staff_page(Permission.ASK_RELEASE)
def release_open(request: StaffRequest, release: UUID) -> HttpResponse:
    """Where a message to staff leads: its address names nobody."""
    found: Release = record_of(request, Release, release)
    return redirect("releases", found.client_id)


@staff_page(Permission.ASK_RELEASE)
def release_tell(request: StaffRequest, pk: UUID, release: UUID) -> HttpResponse:
    found = _release(request, pk, release)
    if request.method == "POST":
        try:
            with transaction.atomic():
                actions.tell(by=request.user, release=found, at=timezone.now())
        except NotNow as sentence:
            messages.error(request, str(sentence))
        else:
            messages.success(request, gettext("Sent. They read and sign it on their own page."))
    return redirect("releases", pk)


@staff_page(Permission.ASK_RELEASE)
def release_sign(request: StaffRequest, pk: UUID, release: UUID) -> HttpResponse:
    """The client signs here, or signed on paper; who takes it is the witness."""
    at, client = timezone.now(), client_of(request, pk)
    found = _release(request, pk, release)
    method = Release.Method.PAPER if request.GET.get("how") == PAPER else Release.Method.STAFF
    form = SignForm(request.POST or None, initial={"method": method})
    if request.method == "POST" and form.is_valid():
        if _signed(request, found, form, at):
            return _onward(request, found)
    elif request.method != "POST":
        audit.seen(request, client, "release", found)
    state = found.stands(timezone.localdate(at))
    if state != disclosure.NOT_SIGNED and not form.is_bound:
        messages.info(request, _why_not(state))
        return redirect("releases", pk)
    context = {"client": client, "release": found, "texts": release_text.texts(found), "form": form}
    return render(request, "referrals/release_sign.html", context, status=400 if form.errors else 200)


def _onward(request: StaffRequest, found: Release) -> HttpResponse:
    """Back to the referral that waited for this signature, else to the list."""
    drafts = Referral.objects.visible_to(request.user, Permission.SEND_REFERRAL).filter(
        client=found.client_id, destination=found.destination_id, state=State.DRAFT, closed_at=None
    )
    waiting = drafts.order_by("-created_at").first()
    return redirect("referral_edit", waiting.pk) if waiting else redirect("releases", found.client_id)


def _why_not(state: str) -> str:
    return {
        disclosure.OK: gettext("This release is signed already."),
        disclosure.REVOKED: gettext("This release was taken back."),
    }.get(state, gettext("The last day of this release is over."))


def _signed(request: StaffRequest, found: Release, form: SignForm, at: datetime) -> bool:
    said = dict(form.cleaned_data)
    if said["method"] != Release.Method.PAPER:
        said["signed_on"] = None
    try:
        with transaction.atomic():
            first = actions.sign(by=request.user, release=found, at=at, device=device_of(request), **said)
    except NotNow as sentence:
        form.add_error(None, str(sentence))
        return False
    if first:
        messages.success(request, gettext("Signed. You are the witness."))
    else:
        messages.info(request, gettext("This release is signed already. The first signature stands."))
    return True


@staff_page(Permission.ASK_RELEASE)
def release_revoke(request: StaffRequest, pk: UUID, release: UUID) -> HttpResponse:
    """Take it back for the client, by their word."""
    at, client = timezone.now(), client_of(request, pk)
    found = _release(request, pk, release)
    form = RevokeForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        first = actions.revoke(by=request.user, release=found, at=at, words=form.cleaned_data["words"])
        if first:
            messages.success(request, _taken_back_words(found, at))
        else:
            messages.info(request, gettext("This release was taken back before."))
        return redirect("releases", pk)
    if request.method != "POST":
        audit.seen(request, client, "release", found)
    context = {"client": client, "release": found, "form": form}
    return render(request, "referrals/release_revoke.html", context, status=400 if form.errors else 200)


def _taken_back_words(release: Release, at: datetime) -> str:
    """What is true now for this clinic: another release may still let them read."""
    on_file = Release.objects.filter(client=release.client_id, destination=release.destination_id)
    if any(other.is_good(timezone.localdate(at)) for other in on_file):
        said = gettext("Taken back. Another release for {clinic} still counts: take that one back, too, to stop them.")
    else:
        said = gettext("Taken back. {clinic} cannot open it any more.")
    return said.format(clinic=release.recipient)


@staff_page(Permission.ASK_RELEASE)
def release_seen(request: StaffRequest, pk: UUID, release: UUID) -> HttpResponse:
    """Nothing more is to be done about a release that ends or was taken back."""
    found = _release(request, pk, release)
    if request.method != "POST":
        raise BadRequest
    actions.put_away(by=request.user, release=found, at=timezone.now())
    messages.success(request, gettext("Put away."))
    return redirect("releases", pk)


@staff_page(Permission.ASK_RELEASE)
def release_copy(request: StaffRequest, pk: UUID, release: UUID) -> HttpResponse:
    """The release as a PDF: what was signed, or the sheet to sign on."""
    found = _release(request, pk, release)
    audit.seen(request, client_of(request, pk), "release", found)
    return release_copies.download(found)
