"""Writing a referral and sending it: choose the clinic, see what they get, mend what stands in the way, send."""

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from practice import audit
from practice.access import Permission
from practice.actions import NotNow
from practice.forms import Day, HouseForm, text, words_field
from practice.models import Client
from practice.pages import StaffRequest, client_of, record_of, staff_page
from practice.templatetags.ui import full_day, moment
from practice.views.chart import frame, named
from referrals import holds, track
from referrals import packet as packets
from referrals.actions import drafts
from referrals.actions import sending as actions
from referrals.actions.problems import RELEASE, problems
from referrals.models import Decision, Destination, Path, Referral, Section, Sending
from referrals.states import State
from referrals.views import directory

ALWAYS = (Section.IDENTITY,)  # a packet about nobody is of no use
MAY_STAY_OUT = [section for section in Section if section not in ALWAYS]
ICD10CM = re.compile(r"[A-Z]\d[0-9A-Z](?:\.[0-9A-Z]{1,4})?")  # the shape of an ICD-10-CM code
MOST_DIAGNOSES = 12
LONGEST_DIAGNOSIS = 120


class ClinicChoice(forms.ModelChoiceField):
    widget = forms.RadioSelect


class DraftForm(HouseForm):
    destination = ClinicChoice(
        queryset=Destination.objects.none(),
        label=_("Clinic"),
        required=False,
        empty_label=None,
        error_messages={"invalid_choice": _("Choose one of the clinics below.")},
    )
    path = forms.ChoiceField(label=_("Kind of care"), choices=directory.ELSEWHERE)
    urgency = forms.ChoiceField(
        label=_("How soon"), choices=Decision.Urgency.choices, widget=forms.RadioSelect, initial="routine"
    )
    why_now = words_field(_("Why now"), "", required=False, rows=4, help_text=_("Three sentences; needed to send it."))
    ask = words_field(_("What we ask of them"), "", required=False)
    keep_doing = words_field(_("What we keep doing"), "", required=False)
    diagnoses = words_field(
        _("Diagnoses"),
        "",
        required=False,
        help_text=_("One on each line, the ICD-10-CM code first, such as: F33.2 Recurrent depression, severe."),
    )
    include = forms.MultipleChoiceField(
        label=_("What they get besides name and contact"),
        choices=[],
        widget=forms.CheckboxSelectMultiple,
        required=False,
        help_text=_("Take out what this clinic does not need. Psychotherapy notes are never in it."),
    )
    quick_consult = forms.BooleanField(label=_("Ask for a short call between clinicians first"), required=False)
    client_told = forms.BooleanField(label=_("Tell the client at each step"), required=False)
    version = forms.IntegerField(widget=forms.HiddenInput, min_value=1, max_value=2**31 - 1, required=False)
    diagnoses_were = forms.CharField(widget=forms.HiddenInput, max_length=4000, required=False)

    def __init__(self, *args: Any, chosen: Destination | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        known = Destination.objects.filter(is_active=True)
        self.fields["destination"].queryset = (  # type: ignore[attr-defined]
            known | Destination.objects.filter(pk=chosen.pk) if chosen else known
        )
        self.fields["include"].choices = [  # type: ignore[attr-defined]
            (section.value, SECTIONS[section]) for section in MAY_STAY_OUT
        ]

    def clean_diagnoses(self) -> str:
        said = str(self.cleaned_data["diagnoses"])
        diagnoses_of(said)
        return said

    @property
    def said(self) -> dict[str, Any]:
        """The columns of the referral as they shall be."""
        data = self.cleaned_data
        plain = {name: data[name] for name in PLAIN}
        return plain | {"withheld": [s.value for s in MAY_STAY_OUT if s.value not in data["include"]]}


PLAIN = ("destination", "path", "urgency", "why_now", "ask", "keep_doing", "quick_consult", "client_told")
SECTIONS = {
    Section.SAFETY: _("Thoughts of suicide, and what was done"),
    Section.WHY: _("Why now, and diagnoses"),
    Section.SCORES: _("Scores over time"),
    Section.MEDICINES: _("Medicines and earlier trials"),
    Section.HEALTH: _("Health questions"),
    Section.SUBSTANCES: _("Alcohol and drugs"),
    Section.PAIN: _("Pain"),
    Section.SUPPORT: _("Support, home, ride"),
    Section.HISTORY: _("Ketamine treatment before"),
}


def diagnoses_of(said: str) -> list[dict[str, str]]:
    """Read the lines of diagnoses. Raises ValidationError naming the line that is not one."""
    found = []
    for line in (line.strip() for line in said.splitlines()):
        if not line:
            continue
        code, _space, words = line.partition(" ")
        if not ICD10CM.fullmatch(code.upper()) or not words.strip() or len(words) > LONGEST_DIAGNOSIS:
            raise forms.ValidationError(
                gettext("“{line}” does not begin with an ICD-10-CM code and words after it, such as F33.2 Depression.")
                .format(line=line[:40])
            )  # fmt: skip
        found.append({"code": code.upper(), "text": words.strip()})
    if len(found) > MOST_DIAGNOSES:
        raise forms.ValidationError(gettext("At most {n} diagnoses.").format(n=MOST_DIAGNOSES))
    return found


def diagnoses_text(client: Client) -> str:
    return "\n".join(f"{row.get('code', '')} {row.get('text', '')}".strip() for row in client.diagnoses or [])


class HandOffForm(HouseForm):
    to = text(
        _("With whom at the clinic did you speak?"),
        160,
        required=True,
        error_messages={"required": _("Write with whom at the clinic you spoke.")},
    )
    plan_given = forms.TypedChoiceField(
        label=_("Does the client have their safety plan?"),
        choices=[("yes", _("Yes, they have it")), ("no", _("Not yet"))],
        widget=forms.RadioSelect,
        coerce=lambda value: value == "yes",
        error_messages={"required": _("Say whether the client has their safety plan.")},
    )
    words = words_field(_("If not yet: why"), "", required=False, rows=2)
    interim_on = Day(
        label=_("When are you next in touch with the client?"),
        error_messages={
            "required": _("Give the day of the next contact with the client."),
            "invalid": _("Write the day as year, month, day, such as 2026-11-24."),
        },
    )


class SendForm(HouseForm):
    channels = forms.MultipleChoiceField(
        label=_("How it goes"),
        choices=[],
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": _("Choose at least one way to send it.")},
    )
    spoke_with = text(_("By phone: with whom"), 160)

    def __init__(self, *args: Any, clinic: Destination | None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        possible = actions.ways(clinic)
        self.fields["channels"].choices = [(way, ways_words(way, clinic)) for way in possible]  # type: ignore[attr-defined]
        self.fields["channels"].initial = possible[:1]


class EmergencyForm(SendForm):
    emergency_reason = words_field(
        _("Why this cannot wait for the client's release"), _("Write why this cannot wait for a release.")
    )


class DiscardForm(HouseForm):
    words = words_field(_("Why it is not sent"), _("Write why this is not sent."), rows=2)


def ways_words(way: str, clinic: Destination | None) -> str:
    label, place = str(Sending.Channel(way).label), ""
    if clinic is not None:
        of = {Sending.Channel.LINK: clinic.email, Sending.Channel.PHONE: clinic.phone}
        place = of.get(Sending.Channel(way), clinic.fax)
    return f"{label}: {place}" if place else label


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
    row = Client.objects.select_for_update(of=("self",)).get(pk=client.pk)
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


Act = Callable[[], Any]


def attempt(form: forms.Form, act: Act) -> bool:
    """Whether it was done; a refusal becomes a sentence of the form."""
    try:
        act()
    except NotNow as sentence:
        form.add_error(None, str(sentence))
        return False
    return True


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
