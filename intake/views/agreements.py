"""The practice's agreements: which version is signed now, how many signed which, and a new version in its own words."""

from collections import Counter
from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from intake import agreement, editions, publishing, resigning, wording
from intake.agreement import Agreement
from intake.models import AgreementText, SigningPace, SigningRequest
from intake.models.agreements import BODY, MOST_PER_DAY, SIGN, SUMMARY, TITLE, WHY
from practice import audit
from practice.access import Permission
from practice.actions import NotNow
from practice.forms import HouseForm, text, words_field
from practice.pages import StaffRequest, staff_page
from practice.views.clients import conflict

MONTHS = ((0, _("Only when the text changes")), (6, _("Every 6 months")), (12, _("Every year")))


# --- The list --------------------------------------------------------------------------------------------------------


@staff_page(Permission.MANAGE_PRACTICE)
def agreements(request: StaffRequest) -> HttpResponse:
    at, pace = timezone.now(), SigningPace.get()
    signatures = resigning.newest_signatures()
    due = Counter(each.document for each in resigning.due(at, signatures))
    signed = Counter((document, version) for _client, document, version, _at in signatures)
    own = editions.own()
    drafts = set(AgreementText.objects.filter(published_at=None).values_list("document", flat=True))
    rows = []
    for key in editions.documents():
        running = editions.of_row(own[key][-1]) if key in own else editions.shipped(key)
        versions = sorted(((v, n) for (document, v), n in signed.items() if document == key), reverse=True)
        rows.append(
            {
                "key": key,
                "title": running.title,
                "version": running.version,
                "signed": versions,
                "due": due[key],
                "again": dict(MONTHS)[pace.months.get(key, 0)],
                "draft": key in drafts,
            }
        )
    asked = Counter(SigningRequest.objects.values_list("outcome", flat=True))
    return render(
        request,
        "intake/agreements.html",
        {
            "rows": rows,
            "pace": pace,
            "due": len({each.client_id for each in resigning.due(at, signatures)}),
            "asked": [(Outcome.label, asked[Outcome]) for Outcome in SigningRequest.Outcome],
        },
    )


def known(document: str) -> str:
    """The key of an agreement; 404 for anything else."""
    if document not in editions.documents():
        raise Http404
    return document


@staff_page(Permission.MANAGE_PRACTICE)
def agreement_versions(request: StaffRequest, document: str) -> HttpResponse:
    """Every version of one agreement, the newest first, with who published it and why."""
    document = known(document)
    signatures = [row for row in resigning.newest_signatures() if row[1] == document]
    signed = Counter(version for _client, _document, version, _at in signatures)
    own = editions.own().get(document, [])
    stands = editions.standing()[document]
    rows = [
        {"version": row.version, "row": row, "signed": signed[row.version], "counts": row.version in stands.accepted}
        for row in reversed(own)
    ]
    for version in sorted(agreement.SHELF.paths[document], key=int, reverse=True):
        counts = version in stands.accepted
        rows.append({"version": version, "row": None, "signed": signed[version], "counts": counts})
    context = {
        "key": document,
        "text": editions.of_row(own[-1]) if own else editions.shipped(document),
        "rows": rows,
        "due": len(resigning.due(timezone.now(), signatures)),
        "draft": publishing.draft_of(document),
    }
    return render(request, "intake/agreement_versions.html", context)


@staff_page(Permission.MANAGE_PRACTICE)
def agreement_version(request: StaffRequest, document: str, version: str) -> HttpResponse:
    """One version as clients read it."""
    try:
        found = editions.load(known(document), version)
    except ValueError:
        raise Http404 from None
    return render(request, "intake/agreement_version.html", {"key": document, "text": found})


# --- The draft -------------------------------------------------------------------------------------------------------


class DraftForm(HouseForm):
    title = text(_("Title"), TITLE, required=True, error_messages={"required": _("Write a title.")})
    summary = words_field(
        _("In short"),
        _("Say in one or two sentences what this is about."),
        max_length=SUMMARY,
        rows=2,
        help_text=_("Stands above the text."),
    )
    body = words_field(
        _("The text"),
        _("Write the text."),
        max_length=BODY,
        rows=24,
        help_text=_(
            "A line with # begins a part. The line after it says in plain words what the part is about. Each other "
            "line is a point. A line with + is for a box that the client ticks by itself, of the point above it."
        ),
    )
    sign = text(
        _("What the signature says"),
        SIGN,
        required=True,
        error_messages={"required": _("Write what the client says by signing.")},
    )
    version = forms.IntegerField(widget=forms.HiddenInput, min_value=0, max_value=2**31 - 1)

    @classmethod
    def initial_of(cls, found: AgreementText | Agreement) -> dict[str, Any]:
        said = {"title": found.title, "summary": found.summary, "sign": found.sign}
        if isinstance(found, AgreementText):
            return said | {"body": found.body, "version": found.edition}
        return said | {"body": wording.body_of(found), "version": 0}

    def clean(self) -> dict[str, Any]:
        said = super().clean() or {}
        for name in ("title", "summary", "body", "sign"):
            if name in self.errors or not said.get(name):
                continue
            try:
                said[name] = wording.cleaned(said[name])
                if name == "body":
                    wording.parts(said[name])
                elif "\n" in said[name]:
                    said[name] = " ".join(said[name].split())
            except wording.Unclear as sentence:
                self.add_error(name, str(sentence))
        return said


@staff_page(Permission.MANAGE_PRACTICE)
def agreement_draft(request: StaffRequest, document: str) -> HttpResponse:
    """Write the draft; what it lacks and how it differs from the running text stand beside it."""
    draft = publishing.draft_of(known(document))
    if request.method == "POST" and "put_away" in request.POST:
        publishing.put_away(by=request.user, document=document, at=timezone.now())
        messages.success(request, gettext("The draft is gone. The text that is signed now is as it was."))
        return redirect("agreement_versions", document)
    form = DraftForm(request.POST or None, initial=DraftForm.initial_of(draft or editions.running(document)))
    if request.method == "POST" and form.is_valid():
        said = dict(form.cleaned_data)
        edition = said.pop("version")
        kept = publishing.keep_draft(by=request.user, document=document, edition=edition, at=timezone.now(), **said)
        if kept is None:
            now = publishing.draft_of(document)
            theirs = DraftForm(initial=DraftForm.initial_of(now or editions.running(document)))
            edition = now.edition if now else 0
            return conflict(request, gettext("Somebody changed this draft first"), form, theirs, edition)
        messages.success(request, gettext("Saved as a draft. Clients still sign the text that runs now."))
        return redirect("agreement_draft", document)
    context = {
        "key": document,
        "form": form,
        "draft": draft,
        "review": publishing.review(draft, request.practice) if draft else None,
        "running": editions.running(document),
        "musts": agreement.musts(document),
    }
    return render(request, "intake/agreement_draft.html", context, status=400 if form.errors else 200)


class PublishForm(HouseForm):
    must_sign = forms.ChoiceField(
        label=_("Clients who signed an earlier version"),
        choices=(("yes", _("must sign again")), ("no", _("need not sign again"))),
        widget=forms.RadioSelect,
        error_messages={
            "required": _("Choose whether clients sign again."),
            "invalid_choice": _("Choose one of the two."),
        },
    )
    because = words_field(
        _("Because"),
        _("Say why they must, or need not, sign again."),
        max_length=WHY,
        rows=2,
        help_text=_("A change of what you do, of a risk, of a price or of a right is one they sign again."),
    )
    reason = words_field(_("Why there is a new version"), _("Say why there is a new version."), max_length=WHY, rows=2)
    version = forms.IntegerField(widget=forms.HiddenInput, min_value=1, max_value=2**31 - 1)


@staff_page(Permission.MANAGE_PRACTICE, fresh=True)
def agreement_publish(request: StaffRequest, document: str) -> HttpResponse:
    """Publish the draft. It is frozen then, and what is signed from that moment on."""
    draft = publishing.draft_of(known(document))
    if draft is None:
        messages.info(request, gettext("There is no draft to publish."))
        return redirect("agreement_versions", document)
    form = PublishForm(request.POST or None, initial={"version": draft.edition})
    found = publishing.review(draft, request.practice)
    if request.method == "POST" and form.is_valid():
        said = form.cleaned_data
        try:
            row = publishing.publish(
                by=request.user,
                document=document,
                edition=said["version"],
                must_sign=said["must_sign"] == "yes",
                because=said["because"],
                reason=said["reason"],
                at=timezone.now(),
            )
        except NotNow as sentence:
            form.add_error(None, str(sentence))
        else:
            messages.success(request, gettext("Version {n} is what is signed from now on.").format(n=row.version))
            return redirect("agreement_versions", document)
    signed = {client for client, key, _version, _at in resigning.newest_signatures() if key == document}
    context = {"key": document, "form": form, "review": found, "draft": draft, "signed": len(signed)}
    return render(request, "intake/agreement_publish.html", context, status=400 if form.errors else 200)


# --- How they are asked ----------------------------------------------------------------------------------------------


class PaceForm(HouseForm):
    per_day = forms.IntegerField(
        label=_("Clients who are asked on one day, at most"),
        min_value=1,
        max_value=MOST_PER_DAY,
        help_text=_("Each of them may have questions for their therapist."),
        error_messages={"required": _("Write how many clients a day.")},
    )
    version = forms.IntegerField(widget=forms.HiddenInput, min_value=1, max_value=2**31 - 1)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for key in editions.documents():
            self.fields[f"months_{key}"] = forms.TypedChoiceField(
                label=gettext("Sign again: {title}").format(title=editions.shipped(key).title),
                choices=MONTHS,
                coerce=int,
                error_messages={"required": _("Choose one of the answers.")},
            )

    @classmethod
    def initial_of(cls, pace: SigningPace) -> dict[str, Any]:
        months = {f"months_{key}": pace.months.get(key, 0) for key in editions.documents()}
        return {"per_day": pace.per_day, "version": pace.version} | months


@staff_page(Permission.MANAGE_PRACTICE)
def agreements_pace(request: StaffRequest) -> HttpResponse:
    if request.method == "POST":
        SigningPace.objects.get_or_create(pk=1)
        pace = SigningPace.objects.select_for_update(no_key=True).get(pk=1)
    else:
        pace = SigningPace.get()
    form = PaceForm(request.POST or None, initial=PaceForm.initial_of(pace))
    if request.method != "POST" or not form.is_valid():
        return render(request, "intake/agreements_pace.html", {"form": form}, status=400 if form.errors else 200)
    said = form.cleaned_data
    if said["version"] != pace.version:
        theirs = PaceForm(initial=PaceForm.initial_of(pace))
        return conflict(request, gettext("Somebody changed the settings first"), form, theirs, pace.version)
    pace.per_day = said["per_day"]
    pace.months = {key: said[f"months_{key}"] for key in editions.documents() if said[f"months_{key}"]}
    pace.version += 1
    pace.save(update_fields=["per_day", "months", "version"])
    audit.record("agreement.settings", by=request.user, target=pace, fields=["per_day", "months"])
    messages.success(request, gettext("Saved."))
    return redirect("agreements")
