"""The client's own plan in plain words: what happens before, that day and after; and what they write for themselves.

Nothing here names a dose, a score or a reading. What is said about ketamine are the points of the agreement that the
client signed, or will sign. Eating and drinking before: ISHA in docs/clinical-sources.md.
"""

from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.functional import Promise
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from intake import agreement, editions, wording
from intake.agreement import Agreement
from intake.doors import Link, called, home_page, see_other, show
from intake.home import Line, Shown
from intake.views import home
from intake.views.language import switch
from practice import audit
from practice import language as languages
from practice.clinical import kap
from practice.forms import HouseForm, words_field
from practice.kap import intentions
from practice.kap.actions import absences
from practice.kap.actions.weighing import zone_of
from practice.kap.models import Intention, Plan, Session
from practice.kap.views.absences import days_words
from practice.models import Client
from practice.templatetags.ui import full_day, moment

When, State, Kind = Intention.When, Session.State, Session.Kind
BOOKED = (State.PLANNED, State.STARTED)
KINDS: dict[str, str | Promise] = {
    Kind.PREPARATION: _("A talk to get ready"),
    Kind.DOSING: _("Ketamine session"),
    Kind.INTEGRATION: _("A talk about it afterwards"),
}
ASKED: dict[str, Any] = {
    When.BEFORE: _("What would you like from this session?"),
    When.AFTER: _("What do you want to remember?"),
}
AGREED = "ketamine"
ABOUT = ("off_label", "benefit", "stop")  # of what that agreement must say (intake/musts.toml)
THAT_DAY = ("touch", "emergency")
AFTER = ("driving",)


class WordsForm(HouseForm):
    words = words_field(_("In your own words"), "", required=False, max_length=intentions.LONGEST, rows=6)

    def __init__(self, *args: Any, when: str, **kwargs: Any) -> None:
        super().__init__(*args, auto_id=f"{when}_%s", **kwargs)
        self.when = when
        self.fields["words"].label = ASKED[when]


def line(link: Link, at: datetime) -> Line | None:
    """The plan's part of the client's own page: n of m, and what is next."""
    plan = standing(link.client)
    if plan is None:
        return None
    with timezone.override(zone_of(link.client)):
        following = next((row for row in sessions_of(link.client) if row.state in BOOKED and row.starts_at > at), None)
        words = gettext("Next: {when}.").format(when=moment(following.starts_at)) if following else ""
        return Line(
            title=gettext("Your plan"),
            text=f"{how_far(plan)} {words}".strip(),
            url=reverse("my_plan"),
            label=gettext("Open your plan"),
        )


def for_person(link: Link, at: datetime) -> Shown:
    """The plan for somebody whom the client trusts: how far it is, and what is booked."""
    plan = standing(link.client)
    if plan is None:
        return Shown(said=[gettext("Nothing is booked right now.")])
    with timezone.override(zone_of(link.client)):
        rows = [card(row) for row in sessions_of(link.client) if row.state in BOOKED]
        said = [how_far(plan)] if plan.state == Plan.State.UNDER_WAY else []
        nothing = [] if rows else [gettext("Nothing is booked right now.")]
        return Shown(said=[*said, *nothing], rows=[(row["what"], row["when"]) for row in rows])


def rides_for_person(link: Link, at: datetime) -> Shown:
    """When a ride home is needed, or an adult in the home: of the ketamine sessions that are booked."""
    with timezone.override(zone_of(link.client)):
        rows = [
            (moment(row.starts_at), ride_words(row))
            for row in sessions_of(link.client)
            if row.kind == Kind.DOSING and row.state in BOOKED and row.starts_at + timedelta(minutes=row.minutes) > at
        ]
        if not rows:
            return Shown(said=[gettext("No ride is needed right now.")])
        return Shown(
            said=[gettext("They do not drive from a ketamine session until the next day, after a night's sleep.")],
            rows=rows,
        )


def ride_words(session: Session) -> str:
    if session.setting == Session.Setting.REMOTE:
        return gettext("By video: an adult stays in the home. The therapist calls and says what to do.")
    end = moment(session.starts_at + timedelta(minutes=session.minutes))
    return gettext("Come to take them home at about %(when)s. Ask at the practice for the place.") % {"when": end}


def standing(client: Client) -> Plan | None:
    """The plan that goes on now, the first of them to begin; else the last one."""
    plans = list(client.plans.prefetch_related("sessions"))
    under_way = [plan for plan in plans if plan.state == Plan.State.UNDER_WAY]
    return next(iter(under_way), None) or (plans[-1] if plans else None)


def sessions_of(client: Client) -> list[Session]:
    """The client's sessions in time, of every plan: those that are booked, and those that were."""
    found = Session.objects.filter(plan__client=client).select_related("plan", "therapist").order_by("starts_at")
    return [row for row in found if row.state not in (State.SKIPPED, State.WAITING)]


def how_far(plan: Plan) -> str:
    done = sum(row.kind == Kind.DOSING and row.state == State.DONE for row in plan.sessions.all())
    return ngettext(
        "{done} of {planned} ketamine session done.", "{done} of {planned} ketamine sessions done.", plan.planned
    ).format(done=done, planned=plan.planned)


@home_page
def my_plan(request: HttpRequest) -> HttpResponse:
    link: Link = request.link  # type: ignore[attr-defined]
    at, client = timezone.now(), link.client
    audit.record("read.my_plan", by=client, client=client, at=at)
    plan = standing(client)
    if plan is None:
        return show(request, "kap/my_plan_none.html")
    rows = sessions_of(client)
    ahead = [row for row in rows if row.state in BOOKED]
    zone, text = zone_of(client), editions.read_by(client, AGREED)
    with timezone.override(zone):
        context = {
            "how_far": how_far(plan) if plan.state == Plan.State.UNDER_WAY else "",
            "ahead": [card(row) for row in ahead],
            "behind": [card(row) for row in reversed(rows) if row.state == State.DONE],
            "waits": sum(row.state == State.WAITING for row in plan.sessions.all()),
            "booster": booster_words(client, plan, rows, at.astimezone(zone).date()),
            "away": [{"days": days_words(row)} for row in absences.ahead(client, at.astimezone(zone).date())],
            "zone": "" if zone.key == link.practice.zone else zone.key.rpartition("/")[2].replace("_", " "),
            "forms": home.forms_line(link, at),
            "driver": (client.contact("support") or {}).get("name", ""),
            "about": agreed(text, ABOUT),
            "that_day": agreed(text, THAT_DAY),
            "after": agreed(text, AFTER),
            "language": text.language,
            "has_signed": client.signatures.exists(),
            "asks": any(row.kind == Kind.DOSING for row in ahead),
        }
        return show(request, "kap/my_plan.html", context)


def agreed(text: Agreement, keys: tuple[str, ...]) -> list[str]:
    """The points of the agreement about ketamine that speak of these, word for word, each once."""
    musts = {must.key: must for must in agreement.musts(AGREED)}
    return list(dict.fromkeys(point.text for key in keys for point in wording.speaking_of(musts[key], text)))


def card(session: Session) -> dict[str, Any]:
    return {
        "what": KINDS[session.kind],
        "when": moment(session.starts_at),
        "minutes": session.minutes,
        "where": gettext("By video") if session.setting == Session.Setting.REMOTE else session.room,
        "with": session.therapist.first_name if session.therapist else "",
        "is_dose": session.kind == Kind.DOSING,
        "url": reverse("my_intention", args=[session.pk]),
    }


def booster_words(client: Client, plan: Plan, rows: list[Session], today: date) -> str:
    """When the next ketamine session after a series is due: of a booster that is planned, or after the last dose."""
    given = [row.starts_at.astimezone(zone_of(client)).date() for row in rows if is_given(row)]
    if plan.state == Plan.State.UNDER_WAY and plan.shape == Plan.Shape.BOOSTER:
        due = plan.due_on
    elif plan.state != Plan.State.UNDER_WAY and given:
        due = kap.booster(max(given), max(today, *given)).due_on
    else:
        due = None
    return full_day(due)


def is_given(session: Session) -> bool:
    return session.kind == Kind.DOSING and session.state == State.DONE


@home_page
def my_intention(request: HttpRequest, session: UUID) -> HttpResponse:
    """What the client writes before a session and after it, one of both at a time (`?part=`).

    A script saves while they type; so does each button, that to the other part too, and the switch of language.
    """
    link: Link = request.link  # type: ignore[attr-defined]
    at, client = timezone.now(), link.client
    row = Session.objects.filter(plan__client=client, pk=session).select_related("plan", "therapist").first()
    if row is None:
        raise Http404
    written, form = intentions.own(client, row), None
    if request.method == "POST":
        when = request.POST.get("when", "")
        if when not in When.values:
            raise Http404
        form = WordsForm(request.POST, when=when)
        if form.is_valid():
            words = form.cleaned_data["words"]
            if words != (written[when].words if when in written else ""):
                intentions.keep(by=client, session=row, when=when, words=words, at=at)
            return _after(request, link, row, when, at)
    chosen = languages.asked(request)
    with translation.override(chosen or translation.get_language()), timezone.override(zone_of(client)):
        context = {
            "session": card(row) if row.state not in (State.WAITING, State.SKIPPED) else {"what": KINDS[row.kind]},
            "parts": parts(row, written, form, request.GET.get("part", ""), at),
            "wrong": form,
        }
        response = show(request, "kap/my_intention.html", context, status=400 if form else 200)
    return switch(request, response, client, chosen) if chosen else response


def parts(
    row: Session, written: dict[str, Intention], wrong: WordsForm | None, asked: str, at: datetime
) -> list[dict[str, Any]]:
    """Before and afterwards. One is open to write in: what it is time for, or what is asked for of what they wrote."""
    began = row.state in (State.STARTED, State.DONE) or row.starts_at <= at
    it_is = When.AFTER if began else When.BEFORE
    is_open = wrong.when if wrong else asked if asked in written else it_is
    return [
        {
            "when": when,
            "title": gettext("Before") if when == When.BEFORE else gettext("Afterwards"),
            "asked": ASKED[when],
            "form": (wrong or WordsForm(initial={"words": kept.words if kept else ""}, when=when))
            if when == is_open
            else None,
            "words": kept.words if kept else "",
            "shared_at": kept.shared_at if kept else None,
            "saved_at": kept.saved_at if kept else None,
        }
        for when in When.values
        if when in (it_is, is_open) or when in written
        for kept in [written.get(when)]
    ]


def _after(request: HttpRequest, link: Link, row: Session, when: str, at: datetime) -> HttpResponse:
    """What follows a save: nothing for the script, else the page again with what is true now."""
    if chosen := languages.asked(request):
        return switch(request, see_other("my_intention", row.pk, query=f"?part={when}"), link.client, chosen)
    if (opened := request.POST.get("open")) in When.values:
        return see_other("my_intention", row.pk, query=f"?part={opened}")
    pressed = next((name for name in ("share", "stop", "save") if name in request.POST), "")
    if not pressed:
        return HttpResponse(status=204)
    name = called(link.client, link.practice)
    if pressed == "share" and not request.POST.get("words", "").strip():
        messages.warning(request, gettext("Write something first. Then you can share it."))
    elif pressed == "share":
        intentions.share(by=link.client, session=row, when=when, wanted=True, at=at)
        messages.success(request, gettext("Saved. {name} can read it now.").format(name=name))
    elif pressed == "stop":
        intentions.share(by=link.client, session=row, when=when, wanted=False, at=at)
        messages.success(request, gettext("Saved. It is yours alone again."))
    else:
        messages.success(request, gettext("Saved."))
    return see_other("my_intention", row.pk)
