"""What a client shares, on their own page: read and sign, stop sharing, and the list of what was sent."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from intake.doors import Link, home_page, see_other, show
from intake.forms import Words, helper
from intake.home import Line
from intake.models import Signature
from intake.views.language import retelling
from practice import audit
from practice.actions import NotNow
from practice.language import as_typed
from practice.models import Client
from practice.pages import device_of
from practice.templatetags.ui import full_day, moment
from referrals import disclosure, release_copies, release_text
from referrals.actions import releases as actions
from referrals.models import Disclosure, Release
from referrals.views.release_rows import section_labels

HOW = {
    Disclosure.Channel.LINK: _("They could open it on a private page."),
    Disclosure.Channel.FAX: _("It went by fax."),
    Disclosure.Channel.PRINT: _("It went on paper or by fax."),
    Disclosure.Channel.PHONE: _("We told them on the phone."),
    Disclosure.Channel.PAGE: _("They saw it on a page of their own."),
}


class SignForm(forms.Form):
    use_required_attribute = False

    typed_name = Words(
        label=_("Type your full name to sign"), error_messages={"required": _("Type your full name to sign.")}
    )
    relation = forms.ChoiceField(
        label=_("You sign this"),
        choices=Signature.Relation.choices,
        initial=Signature.Relation.SELF,
        widget=forms.RadioSelect,
        error_messages={
            "required": _("Choose for whom you sign."),
            "invalid_choice": _("Choose one of the answers."),
        },
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["typed_name"].widget.attrs["autocomplete"] = "name"
        self.helper = helper()


def waiting_line(link: Link, at: datetime) -> Line | None:
    """The oldest permission that waits to be signed is a next thing."""
    asked = link.client.releases.filter(signed_at=None, revoked_at=None, expires_on__gte=timezone.localdate(at))
    waiting: Release | None = asked.order_by("asked_at").first()
    if waiting is None:
        return None
    return Line(
        title=gettext("Something to read and sign"),
        text=gettext("%(clinic)s could get a part of your record. You choose. About 3 minutes.")
        % {"clinic": waiting.recipient},
        url=reverse("my_release", args=[waiting.pk]),
        label=gettext("Read it"),
        todo=True,
    )


def line(link: Link, at: datetime) -> Line | None:
    """What is shared, with the way to stop it."""
    today = timezone.localdate(at)
    rows = [row for row in link.client.releases.all() if row.signed_at is not None]
    if not rows and not link.client.disclosures.exists():
        return None
    good = sum(row.stands(today) == disclosure.OK for row in rows)
    none = gettext("You share nothing now.")
    some = ngettext("You share with %(n)s place.", "You share with %(n)s places.", good) % {"n": good}
    return Line(
        title=gettext("What you share"),
        text=some if good else none,
        url=reverse("my_permissions"),
        label=gettext("See it, or stop it"),
    )


@home_page
def my_permissions(request: HttpRequest) -> HttpResponse:
    """Each permission: to whom, what, until when; and the way to stop it."""
    link: Link = request.link  # type: ignore[attr-defined]
    today = timezone.localdate()
    rows = [_row(row, today) for row in link.client.releases.order_by("-asked_at")]
    audit.record("read.own_permissions", by=link.client, client=link.client)
    context = {
        "waiting": [row for row in rows if row["code"] == disclosure.NOT_SIGNED],
        "current": [row for row in rows if row["code"] == disclosure.OK],
        "over": [row for row in rows if row["code"] in (disclosure.EXPIRED, disclosure.REVOKED)],
        "has_shared": link.client.disclosures.exists(),
    }
    return show(request, "referrals/my_permissions.html", context)


def _row(release: Release, today: date) -> dict[str, Any]:
    code = release.stands(today)
    ended = {
        disclosure.EXPIRED: gettext("It ended on %(day)s.") % {"day": full_day(release.expires_on)},
        disclosure.REVOKED: gettext("Stopped %(when)s.") % {"when": moment(release.revoked_at)},
    }.get(code, "")
    return {
        "release": release,
        "code": code,
        "what": section_labels(release.sections),
        "ended": ended,
        "was_signed": release.signed_at is not None,
    }


@home_page
@retelling
def my_release(request: HttpRequest, release: UUID) -> HttpResponse:
    """Read one and sign it, or say no; once it is signed, stop sharing."""
    link: Link = request.link  # type: ignore[attr-defined]
    at = timezone.now()
    found = _mine(link.client, release)
    state = found.stands(timezone.localdate(at))
    if request.method == "POST" and "stop" in request.POST:
        return _stopped(request, link, found, at)
    form = as_typed(request, SignForm(request.POST or None))
    if request.method == "POST" and form.is_valid() and _signed(request, link, found, form, at):
        return see_other("my_permissions")
    if request.method != "POST":
        audit.record("read.own_permissions", by=link.client, client=link.client, target=found)
    context = {
        "release": found,
        "texts": release_text.texts(found),
        "row": _row(found, timezone.localdate(at)),
        "may_sign": state == disclosure.NOT_SIGNED,
        "may_stop": state == disclosure.OK,
        "form": form,
        "today": at,
    }
    return show(request, "referrals/my_release.html", context, status=400 if form.errors else 200)


def _mine(client: Client, pk: UUID) -> Release:
    found: Release | None = client.releases.select_related("client").filter(pk=pk).first()
    if found is None:
        raise Http404
    return found


def _signed(request: HttpRequest, link: Link, found: Release, form: SignForm, at: datetime) -> bool:
    try:
        with transaction.atomic():
            actions.sign(
                by=link.client,
                release=found,
                method=Release.Method.PHONE,
                device=device_of(request),
                at=at,
                **form.cleaned_data,
            )
    except NotNow as sentence:
        form.add_error(None, str(sentence))
        return False
    messages.success(
        request,
        gettext("You signed. %(practice)s may share with %(clinic)s until %(day)s. You can stop it here at any time.")
        % {
            "practice": link.practice.display_name,
            "clinic": found.recipient,
            "day": full_day(found.expires_on),
        },
    )
    return True


def _stopped(request: HttpRequest, link: Link, found: Release, at: datetime) -> HttpResponse:
    was_signed = found.signed_at is not None
    actions.revoke(by=link.client, release=found, at=at)
    if was_signed:
        # an older permission for the same place would let them go on reading
        for other in link.client.releases.filter(destination=found.destination_id, revoked_at=None):
            if other.signed_at is not None:
                actions.revoke(by=link.client, release=other, at=at)
        words = gettext("You stopped sharing with %(clinic)s. They cannot open it any more.")
    else:
        words = gettext("You said no. Nothing goes to %(clinic)s.")
    messages.success(request, words % {"clinic": found.recipient})
    return see_other("my_permissions")


@home_page
def my_release_copy(request: HttpRequest, release: UUID) -> HttpResponse:
    link: Link = request.link  # type: ignore[attr-defined]
    found = _mine(link.client, release)
    audit.record("copy.downloaded", by=link.client, client=link.client, target=found, document=found.document)
    return release_copies.download(found)


@home_page
def my_shared(request: HttpRequest) -> HttpResponse:
    """Everything that left the practice about this client: to whom, when, what, and why."""
    link: Link = request.link  # type: ignore[attr-defined]
    audit.record("read.own_permissions", by=link.client, client=link.client)
    rows = [
        {
            "to": row.person.name if row.person else row.recipient,
            "at": row.at,
            "what": section_labels(row.sections),
            "why": gettext("Taking part in the client's care") if row.person else row.purpose,
            "how": HOW[Disclosure.Channel(row.channel)],
            "is_emergency": row.is_emergency,
        }
        for row in link.client.disclosures.select_related("person").order_by("-at")
    ]
    return show(request, "referrals/my_shared.html", {"rows": rows})
