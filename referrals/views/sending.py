"""Writing a referral and sending it: choose the clinic, see what they get, mend what stands in the way, send."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext

from practice import audit
from practice.access import Permission
from practice.actions import NotNow
from practice.forms import attempt
from practice.models import Client
from practice.pages import StaffRequest, client_of, record_of, staff_page
from practice.templatetags.ui import full_day, moment
from practice.views.chart import frame, named
from referrals import holds, track
from referrals import packet as packets
from referrals.actions import drafts
from referrals.actions import sending as actions
from referrals.actions.problems import RELEASE, problems
from referrals.models import Decision, Path, Referral, Section
from referrals.states import State
from referrals.views import directory
from referrals.views.sending_forms import (
    MAY_STAY_OUT,
    PLAIN,
    SECTIONS,
    DiscardForm,
    DraftForm,
    EmergencyForm,
    HandOffForm,
    SendForm,
    diagnoses_of,
    diagnoses_text,
)

# --- A new one -------------------------------------------------------------------------------------------------------


@staff_page(Permission.SEND_REFERRAL)
def referral_new(request: StaffRequest, pk: UUID) -> HttpResponse:
    """Begin a referral for this client, filled in from the decision that the address names."""
    at = timezone.now()
    client = client_of(request, pk)
    decision = _decision(request, client)
    path = decision.choice if decision else request.GET.get("path", "")
    path = path if path in dict(directory.ELSEWHERE) else Path.INFUSION
    if request.method == "POST":
        form = DraftForm(request.POST)
        if form.is_valid():
            try:
                with transaction.atomic():
                    row = drafts.draft(by=request.user, client=client, decision=decision, at=at, **form.said)
                    write_diagnoses(request, client, form, at)
            except NotNow as sentence:
                form.add_error(None, str(sentence))
            else:
                messages.success(request, gettext("Saved as a draft. Look it over, then send it."))
                return redirect("referral_edit", row.pk)
    else:
        audit.seen(request, client, "referral_form")
        form = DraftForm(
            initial={
                **drafts.starting_words(path, decision),
                "path": path,
                "urgency": decision.urgency if decision else Decision.Urgency.ROUTINE,
                "include": [section.value for section in MAY_STAY_OUT],
                "client_told": True,
                "diagnoses": diagnoses_text(client),
                "diagnoses_were": diagnoses_text(client),
            }
        )
    choices = cards(form, path, at)
    context = {
        **frame(request, client, at),
        "form": form,
        "cards": choices,
        "others": any(not card["fits"] and not card["chosen"] for card in choices),
        "open": list(client.referrals.open().select_related("destination")),
        "drafts": list(client.referrals.filter(state=State.DRAFT, closed_at=None).select_related("destination")),
    }
    return render(request, "referrals/referral_new.html", context, status=400 if form.errors else 200)


def _decision(request: StaffRequest, client: Client) -> Decision | None:
    """The decision that the address names, else the newest if it is to refer; one of somebody else's is not there."""
    asked = request.GET.get("decision", "")
    if not asked:
        newest: Decision | None = client.decisions.first()
        return newest if newest and newest.choice in Decision.REFERS and "path" not in request.GET else None
    try:
        found: Decision | None = client.decisions.filter(pk=UUID(asked)).first()
    except ValueError as wrong:
        raise Http404 from wrong
    if found is None:
        raise Http404
    return found


def cards(form: DraftForm, path: str, at: datetime) -> list[dict[str, Any]]:
    """The clinics to choose from, those that offer this path first, each with its track."""
    clinics = list(form.fields["destination"].queryset)  # type: ignore[attr-defined]
    known = track.of([clinic.pk for clinic in clinics], at)
    chosen = form["destination"].value()
    rows = [
        directory.card(clinic, known[clinic.pk])
        | {"chosen": str(clinic.pk) == str(getattr(chosen, "pk", chosen)), "fits": path in clinic.paths}
        for clinic in clinics
    ]
    return sorted(rows, key=lambda row: (not row["chosen"], not row["fits"], row["clinic"].name))


def write_diagnoses(request: StaffRequest, client: Client, form: DraftForm, at: datetime) -> None:
    """Keep the diagnoses with the client when they were changed here."""
    shown, said = form.cleaned_data["diagnoses_were"], form.cleaned_data["diagnoses"]
    if _same(shown, said):
        return
    row = Client.objects.hold(client.pk)
    if not _same(diagnoses_text(row), shown):
        raise NotNow(gettext("Somebody changed the diagnoses meanwhile. Open the page again to see them."))
    row.diagnoses = diagnoses_of(said)
    row.version += 1
    row.save(update_fields=["diagnoses", "version"])
    audit.record("client.edited", by=request.user, client=row, target=row, at=at, fields=["diagnoses"])


def _same(one: str, other: str) -> bool:
    return one.split() == other.split()


# --- The draft -------------------------------------------------------------------------------------------------------


def draft_of(request: StaffRequest, pk: UUID) -> Referral:
    row: Referral = record_of(request, Referral, pk)
    return row


@staff_page(Permission.SEND_REFERRAL)
def referral_edit(request: StaffRequest, referral: UUID) -> HttpResponse:
    """The draft, what the clinic would get of it now, and what keeps it from being sent."""
    at = timezone.now()
    row = draft_of(request, referral)
    if row.state != State.DRAFT or row.closed_at is not None:
        return redirect(row)
    if request.method != "POST":
        audit.seen(request, row.client, "referral", row)
        return page(request, row, at)
    form = DraftForm(request.POST, chosen=row.destination)
    if form.is_valid():
        seen = form.cleaned_data["version"] or 0
        try:
            with transaction.atomic():
                changed = drafts.save_draft(by=request.user, referral=row, version=seen, fields=form.said, at=at)
                write_diagnoses(request, row.client, form, at)
        except NotNow as sentence:
            row.refresh_from_db()
            if row.state != State.DRAFT:
                messages.error(request, str(sentence))
                return redirect(row)
            words = gettext(
                "Yours is below, not saved yet. Look at theirs in another tab, or save again to keep yours."
            )
            form.add_error(None, f"{sentence} {words}")
            again = request.POST.copy()
            again["version"] = str(row.version)
            form.data = again
        else:
            messages.success(request, gettext("Saved.") if changed else gettext("Nothing was different."))
            return redirect("referral_edit", row.pk)
    return page(request, row, at, form=form)


def initial_of(row: Referral) -> dict[str, Any]:
    return {name: getattr(row, name) for name in PLAIN} | {
        "destination": row.destination_id,
        "include": [section.value for section in MAY_STAY_OUT if section.value not in row.withheld],
        "version": row.version,
        "diagnoses": diagnoses_text(row.client),
        "diagnoses_were": diagnoses_text(row.client),
    }


def page(
    request: StaffRequest,
    row: Referral,
    at: datetime,
    *,
    form: DraftForm | None = None,
    hand_off: HandOffForm | None = None,
    send: SendForm | None = None,
    emergency: EmergencyForm | None = None,
    discard: DiscardForm | None = None,
) -> HttpResponse:
    content, answer = packets.outgoing(row, at)
    if answer is not None and not answer.sections:  # nothing may leave yet: show what will, once it may
        whole = packets.content(row, at)
        wanted = [section for section in packets.sections_present(whole) if section not in row.withheld]
        content = packets.limited(whole, wanted)
    standing = holds.standing(row.client, at)
    listed = problems(row, at, answer, standing)
    stops = [problem for problem in listed if problem.stops]
    only_release = bool(stops) and all(problem.about == RELEASE for problem in stops)
    wrong = next((f for f in (form, hand_off, send, emergency, discard) if f is not None and f.errors), None)
    form = form or DraftForm(initial=initial_of(row), chosen=row.destination)
    choices = cards(form, row.path, at)
    context = {
        **frame(request, row.client, at),
        "referral": row,
        "form": form,
        "wrong": wrong,
        "cards": choices,
        "others": any(not card["fits"] and not card["chosen"] for card in choices),
        "content": content,
        "unreleased": answer is not None and not answer.sections,
        "stops": stops,
        "warnings": [problem for problem in listed if not problem.stops],
        "needs_hand_off": drafts.needs_hand_off(row, standing),
        "handed_off": hand_off_words(row, request.user),
        "hand_off": hand_off or HandOffForm(initial=_hand_off_initial(row)),
        "send": send or SendForm(clinic=row.destination),
        "emergency": (emergency or EmergencyForm(clinic=row.destination)) if only_release else None,
        "discard": discard or DiscardForm(),
        "withheld": [SECTIONS[Section(s)] for s in row.withheld if s in SECTIONS],
    }
    return render(request, "referrals/referral_edit.html", context, status=400 if wrong else 200)


def _hand_off_initial(row: Referral) -> dict[str, Any]:
    plan = row.client.safety_plans.exclude(given_at=None).exists()
    return {"plan_given": "yes" if plan else None}


def hand_off_words(row: Referral, reader: Any) -> str:
    """What the warm hand-off says, in a sentence or two; "" when there was none."""
    if row.handed_off_at is None:
        return ""
    plan = gettext("The client has the safety plan.")
    if row.plan_given is False:
        plan = gettext("The client does not have the safety plan yet: {words}").format(words=row.hand_off_words)
    return gettext("Spoke with {to}, {when}, by {who}. {plan} Next contact with the client: {day}.").format(
        to=row.handed_off_to,
        when=moment(row.handed_off_at),
        who=named(row.handed_off_by, reader),
        plan=plan,
        day=full_day(row.interim_contact_on),
    )


@staff_page(Permission.SEND_REFERRAL)
def referral_hand_off(request: StaffRequest, referral: UUID) -> HttpResponse:
    at, row = timezone.now(), draft_of(request, referral)
    if request.method != "POST":
        return redirect("referral_edit", row.pk)
    form = HandOffForm(request.POST)
    if form.is_valid() and attempt(
        form, lambda: drafts.hand_over(by=request.user, referral=row, at=at, **form.cleaned_data)
    ):
        messages.success(request, gettext("The hand-off is recorded. The next contact is in the client's list."))
        return redirect("referral_edit", row.pk)
    return page(request, row, at, hand_off=form)


@staff_page(Permission.SEND_REFERRAL)
def referral_send(request: StaffRequest, referral: UUID) -> HttpResponse:
    at, row = timezone.now(), draft_of(request, referral)
    if request.method != "POST":
        return redirect("referral_edit", row.pk)
    urgent = "emergency_reason" in request.POST
    form: SendForm = (EmergencyForm if urgent else SendForm)(request.POST, clinic=row.destination)
    if form.is_valid() and attempt(
        form, lambda: actions.send(by=request.user, referral=row, at=at, **form.cleaned_data)
    ):
        messages.success(
            request,
            gettext("Sent to {clinic}. Reference {reference}.").format(clinic=row.destination, reference=row.reference),
        )
        return redirect("referral", row.pk)
    row.refresh_from_db()
    if row.state != State.DRAFT or row.closed_at is not None:
        for sentence in form.non_field_errors():
            messages.error(request, str(sentence))
        return redirect(row)
    return page(request, row, at, **({"emergency": form} if urgent else {"send": form}))  # type: ignore[arg-type]


@staff_page(Permission.SEND_REFERRAL)
def referral_discard(request: StaffRequest, referral: UUID) -> HttpResponse:
    """Put a draft away, by words that become a note."""
    at, row = timezone.now(), draft_of(request, referral)
    if request.method != "POST":
        return redirect("referral_edit", row.pk)
    form = DiscardForm(request.POST)
    if form.is_valid() and attempt(
        form, lambda: drafts.discard(by=request.user, referral=row, at=at, **form.cleaned_data)
    ):
        messages.success(request, gettext("Put away. Your words are in the notes."))
        return redirect("chart", row.client_id)
    return page(request, row, at, discard=form)
