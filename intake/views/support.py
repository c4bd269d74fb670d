"""After a safety answer: thanks, 988, one's own people, small steps, and true words on who was told and when."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from intake import actions, flow, signs
from intake.doors import Link, autosave, called, keeping_page, see_other, show
from intake.forms import LINE, Words
from intake.models import Answer, Intake
from intake.packet import Packet, Page
from intake.views.language import retelling
from practice import coverage
from practice.actions import client_did
from practice.clinical.risk import CSSRS
from practice.models import Alert, AlertEvent, AlertNotice, Client, Practice
from practice.templatetags.ui import clock, moment
from practice.views.alert_cards import TAPPED_WORDS

NOBODY = _("Nobody reads this any more, so it was not passed on. Please call 988, or us.")
TAPS = TAPPED_WORDS.keys() - {"where"}  # that one is kept when it is sent


def is_due(alert: Alert) -> bool:
    """Whether the support page comes first at this visit: the flag is open and no contact is recorded."""
    return alert.is_open and not alert.contacts.exists()


def note_shown(
    sitting: Intake,
    alert: Alert,
    packet: Packet,
    shown: Sequence[Page],
    replies: Mapping[str, Answer],
    at: datetime,
) -> None:
    """Put on the flag that the client is now shown the page, and which one."""
    what = "bridge" if signs.is_bridge(packet, shown, replies) else signs.level(packet, shown, replies) or "support"
    client_did(client=sitting.client, alert=alert, kind=AlertEvent.Kind.SHOWN, at=at, by=sitting.answered_by, what=what)


@keeping_page
@retelling
def my_support(request: HttpRequest) -> HttpResponse:
    link: Link = request.link  # type: ignore[attr-defined]
    sitting = link.intake
    alert = actions.alert_of(sitting) if sitting is not None and not link.receipt else None
    if sitting is None or alert is None:
        return see_other("my_start")
    at, practice = timezone.now(), link.practice
    if link.person is not None:
        return _for_guardian(request, link, sitting, alert, at)
    if request.method == "POST":
        _take_where(request, link, sitting, at)
        return see_other("my_support")
    wanted, replies = actions.packet_of(sitting), actions.replies_of(sitting)
    shown = flow.pages(wanted, replies, actions.world(practice, alert, wanted, at))
    bridge = signs.is_bridge(wanted, shown, replies) and sitting.submitted_at is None
    person = flow.value_of(replies, "support-person") or link.client.contact("support") or {}
    return show(
        request,
        "intake/bridge.html" if bridge else "intake/support.html",
        {
            "level": signs.level(wanted, shown, replies),
            "truths": truths(link.client, practice, alert, at),
            "person": person if person.get("phone") else {},
            "call_by": coverage.read_by(at, practice),
            "wanted": alert.call_wanted_at is not None,
            "now": at,
            "opens_at": coverage.next_opening(at, practice),
            "in_hours": coverage.in_hours(at, practice),
            "go_on_url": _go_on(sitting, wanted, shown, replies),
            "is_sent": sitting.submitted_at is not None,
            "typed": request.POST.get("where", "")[:LINE],
            "where": "" if sitting.submitted_at else _where(alert),
        },
    )


def _for_guardian(request: HttpRequest, link: Link, sitting: Intake, alert: Alert, at: datetime) -> HttpResponse:
    """The same moment for somebody who answers for the client: how to be with them, and nobody's number but ours."""
    if request.method == "POST":
        return see_other("my_support")
    wanted, replies = actions.packet_of(sitting), actions.replies_of(sitting)
    shown = flow.asked_of_guardian(flow.pages(wanted, replies, actions.world(link.practice, alert, wanted, at)))
    name = called(link.client, link.practice)
    truths = who_was_told(link.practice, alert, at)
    by = moment(coverage.read_by(at, link.practice, link.client.therapist))
    truths.append(gettext("%(name)s reads these answers by %(when)s.") % {"name": name, "when": by})
    if link.practice.answer_calls_nobody:
        truths.append(gettext("This form does not call the police or an ambulance."))
    context = {
        "level": signs.level(wanted, shown, replies),
        "truths": truths,
        "go_on_url": _go_on(sitting, wanted, shown, replies),
        "is_sent": sitting.submitted_at is not None,
    }
    return show(request, "intake/support_guardian.html", context)


def _where(alert: Alert) -> str:
    return next((row["answer"] for row in alert.answers or [] if row["link_id"] == "where"), "")


def _take_where(request: HttpRequest, link: Link, sitting: Intake, at: datetime) -> None:
    try:
        words = Words(required=False).clean(request.POST.get("where", "")[:LINE])
    except ValidationError as trouble:
        messages.error(request, trouble.messages[0])
        return
    if words and actions.say_where(by=link.client, sitting=sitting, words=words, at=at):
        messages.success(request, gettext("Thank you. We added where you are."))
    elif words:
        messages.error(request, str(NOBODY))


def _go_on(sitting: Intake, wanted: Packet, shown: Sequence[Page], replies: Mapping[str, Answer]) -> str:
    if sitting.submitted_at is not None:
        return reverse("my_done")
    if signs.is_bridge(wanted, shown, replies):
        page = next((page for page in shown if page.instrument == CSSRS), None)
    else:
        page = flow.next_open(shown, replies, after=sitting.at_page)
    return reverse("my_page", args=[page.slug]) if page else reverse("my_check")


def truths(client: Client, practice: Practice, alert: Alert, at: datetime) -> list[str]:
    """Return what is true about who knows and when somebody acts, from the roster and from who was really told."""
    name = called(client, practice)
    found = who_was_told(practice, alert, at)
    by = moment(coverage.read_by(at, practice, client.therapist))
    found.append(gettext("%(name)s reads your answers by %(when)s.") % {"name": name, "when": by})
    if practice.answer_calls_nobody:
        found.append(gettext("This form does not call the police or an ambulance."))
    found.append(
        gettext(
            "You and %(name)s decide together what to do next. If %(name)s thinks your life is in danger, they may "
            "need to act to keep you safe. They will talk with you first if they can."
        )
        % {"name": name}
    )
    return found


def who_was_told(practice: Practice, alert: Alert, at: datetime) -> list[str]:
    """Return who knows of this flag, and whether anybody is watching now."""
    found = _told(alert)
    watching = coverage.on_call(at, practice, coverage.shifts())
    if alert.acknowledged_at and alert.acknowledged_by:
        found.append(
            gettext("%(name)s picked this up at %(time)s.")
            % {"name": alert.acknowledged_by.first_name, "time": clock(alert.acknowledged_at)}
        )
    elif not watching or alert.severity == Alert.Severity.URGENT:
        found.append(gettext("Nobody may be watching right now, so please use 988 or 911 first."))
    if not watching and not coverage.in_hours(at, practice):
        opens = moment(coverage.next_opening(at, practice))
        found.append(gettext("The practice opens again on %(when)s.") % {"when": opens})
    return found


def _told(alert: Alert) -> list[str]:
    """One sentence for each moment at which people were told."""
    rungs: dict[datetime, list[str]] = {}
    nearest = AlertNotice.Why.values  # of those who were told at one time, their therapist comes first
    for notice in sorted(
        alert.notices.select_related("user"), key=lambda row: (row.told_at, nearest.index(row.why), row.user.name)
    ):
        who = notice.user.first_name
        if notice.why != AlertNotice.Why.THERAPIST:
            who = gettext("%(name)s (%(why)s)") % {"name": who, "why": notice.get_why_display()}
        rungs.setdefault(notice.told_at, []).append(who)
    said = []
    for told_at, names in rungs.items():
        if len(names) == 1:
            said.append(gettext("%(name)s was told at %(time)s.") % {"name": names[0], "time": clock(told_at)})
        else:
            both = gettext("%(first)s and %(last)s") % {"first": ", ".join(names[:-1]), "last": names[-1]}
            said.append(gettext("%(names)s were told at %(time)s.") % {"names": both, "time": clock(told_at)})
    return said


@keeping_page
def my_call_me(request: HttpRequest) -> HttpResponse:
    """Ask for a call, or take that back. Says by when, by the practice's own clock."""
    link: Link = request.link  # type: ignore[attr-defined]
    sitting = link.intake
    if sitting is None or link.receipt:
        return see_other("my_start")
    if link.person is not None:  # the call would go to the client
        raise Http404
    at, practice = timezone.now(), link.practice
    call_by = coverage.read_by(at, practice)
    alert = actions.alert_of(sitting)
    nobody = link.client.status in Client.LEFT and not (alert is not None and alert.is_open)
    if request.method == "POST" and nobody:  # their care has ended, and no flag is open: no list shows such a call
        messages.error(request, str(NOBODY))
        return HttpResponse(status=409) if link.locked else see_other("my_start")
    if request.method == "POST":
        wanted = request.POST.get("wanted") == "1"
        if wanted != _is_wanted(link.client):
            actions.ask_for_call(by=link.client, sitting=sitting, wanted=wanted, call_by=call_by, at=at)
        if not wanted:
            messages.info(request, gettext("We took back your request for a call."))
        return see_other("my_call_me")
    task = link.client.tasks.filter(kind="call_me", done_at=None).first()
    return show(
        request,
        "intake/call_me.html",
        {
            "asked_at": task.opened_at if task else None,
            "call_by": coverage.read_by(task.opened_at, practice) if task else call_by,
            "now": at,
            "opens_at": coverage.next_opening(at, practice),
            "in_hours": coverage.in_hours(at, practice),
            "phone": link.client.phone,
            "back_url": reverse("my_support") if alert is not None else reverse("my_start"),
        },
    )


def _is_wanted(client: Client) -> bool:
    return client.tasks.filter(kind="call_me", done_at=None).exists()


@autosave
def my_tapped(request: HttpRequest) -> HttpResponse:
    """A script says which row was tapped. Codes of this file only; the rows work without it."""
    link: Link = request.link  # type: ignore[attr-defined]
    what = request.POST.get("what", "")
    theirs = link.intake if request.method == "POST" and not (link.receipt or link.person) else None
    alert = actions.alert_of(theirs) if theirs else None
    if alert is not None and what in TAPS:
        client_did(client=link.client, alert=alert, kind=AlertEvent.Kind.TAPPED, at=timezone.now(), what=what)
    return HttpResponse(status=204)
