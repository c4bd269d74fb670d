"""The client's doors: which browser may see and save which sitting.

A session holds {"invitation", "intake", "at", "since"}; nothing of it is in an address. Fifteen minutes without an act
lock it, counted here: a page that is sent after that is still saved, then locked; no page is shown. A browser gets in
by pressing the button of a link while nothing is answered, and after that by the return code or a one-time code.

The client's own page ("home") has its own door and its own place in the session: {"invitation", "generation", "at",
"since", "locked"}. Its link shows nothing before a one-time code, or the birth date, opened it in this browser. The
page of somebody whom the client trusts ("person") is held in the same way; only a code to them opens it. A guardian
who answers for the client gets in from that page: the sitting in their session then names them ("person"), is open
while their page is, and shuts at the next request when they may no longer, or when the client went on themselves.

A page that stays open when its door closes still says what it has to say for somebody's safety: see `left_of`, for
forms, and `hearing`, for the client's own page. Both write, and show nothing.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from functools import wraps
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.translation import gettext

from intake import trusted
from intake.models import Intake, Invitation, TrustedPerson
from intake.models.packets import HOME, PERSON, digest
from practice import language
from practice.middleware import CLEAR, kept_fields
from practice.models import Client, Practice
from practice.pages import View, client_door, once

KEY = "link"
BEFORE = "before"  # in a session: the sittings (`_sitting_of`) that this browser was in before, the newest last
MOST_BEFORE = 5
HOME_KEY = "home"
PERSON_KEY = "person"
HERE = "here"  # in a session: at a device of the practice
HERE_IDLE_S = 300
QUIET_S = 30  # an act within this time of the last one does not rewrite the session


@dataclass
class Link:
    """Who is at the door: the invitation that this browser opened, and how far it may see."""

    invitation: Invitation
    intake: Intake | None
    locked: bool
    receipt: bool
    """The answers were sent and this browser did not give them: it sees that they arrived, nothing else."""
    practice: Practice
    home: bool = False  # at the client's own page, not in a sitting
    over: bool = False  # a page of a sitting with which this browser cannot go on: what it says for safety is heard
    anew: bool = False  # and it was begun anew elsewhere: the answers there stay as they are
    person: TrustedPerson | None = None  # the guardian who answers for the client
    page_open: bool = False  # and their own page is open in this browser

    @property
    def client(self) -> Client:
        return self.invitation.client


def see_other(name: str, *args: Any, query: str = "") -> HttpResponseRedirect:
    """303 to a page by its name, so that no browser repeats a POST."""
    response = HttpResponseRedirect(reverse(name, args=args) + query)
    response.status_code = 303
    return response


def client_page(view: View) -> View:
    """A page of a client on this device. POSTs are one transaction and taken once."""
    return _door(view, keeps=False, twice=False)


def keeping_page(view: View) -> View:
    """A client page whose POST is saved even when the session has just locked (write-only: `request.link.locked`)."""
    return _door(view, keeps=True, twice=False)


def autosave(view: View) -> View:
    """Like `keeping_page`, for what a script sends while somebody types: it may come any number of times."""
    return _door(view, keeps=True, twice=True)


def home_page(view: View) -> View:
    """A page of the client's own place, opened in this browser by a code or the birth date (`request.link.client`)."""
    return _home_door(view, "", None)


def hearing(pressed: str, heard: View) -> Callable[[View], View]:
    """A page of the client's own place with a button that is heard, by `heard`, even when the page has closed.

    It locked, its link ran out or was taken back, the care ended, two records became one. Only in a browser in which
    the client had shown who they are; nothing is shown to it.
    """
    return lambda view: _home_door(view, pressed, once(heard))


def _home_door(view: View, pressed: str, heard: View | None) -> View:
    inner = once(view)

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        link = home_of(request)
        if link is not None and request.POST.get("locking"):  # the page locks itself, with words on it
            lock(request)
            link.locked = True
        with speaking(link.client if link else None):
            if link is None or link.locked:
                theirs = left_home(request) if heard is not None and pressed in request.POST else None
                if heard is None or theirs is None:
                    return _who_is_it(request, link)
                request.link = theirs  # type: ignore[attr-defined]
                return heard(request)
            request.link = link  # type: ignore[attr-defined]
            with timezone.override(link.practice.zone):
                response = inner(request, *args, **kwargs)
        return language.remember(request, response, language.checked(link.client.language))

    return client_door(guarded, "client")


def _who_is_it(request: HttpRequest, link: Link | None) -> HttpResponse:
    """Locked: show again who you are. What was typed comes along on the page, never in a store, and is offered then."""
    from intake.views import home  # the page is a view; it is loaded after the doors

    if link is None or request.method != "POST" or (fields := kept_fields(request)) == []:
        return see_other("my_locked", query=_lost(request))
    return home.who_is_it(request, link.invitation, kept={"path": request.path, "fields": fields})


def link_page(view: View) -> View:
    """The steps before: opening a link, the code, a new link."""
    taken_once = once(view)

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        with speaking(known(request, kwargs.get("token", ""))), timezone.override(Practice.get().zone):
            return taken_once(request, *args, **kwargs)

    return client_door(guarded, "link")


def _door(view: View, *, keeps: bool, twice: bool) -> View:
    inner = view if twice else once(view)

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        link = link_of(request)
        if keeps and request.method == "POST" and not _is_in(link, kwargs.get("page", ""), request):
            link = left_of(request, kwargs.get("page", "")) or link
        if link is None or (link.locked and not (keeps and request.method == "POST" and link.intake)):
            return HttpResponse(status=423) if twice else _shut(request, link)
        request.link = link  # type: ignore[attr-defined]
        with speaking(None if link.person else link.client), timezone.override(link.practice.zone):
            response = inner(request, *args, **kwargs)
        if twice and link.locked:
            return HttpResponse(status=423)
        if link.locked:
            kept = response.status_code in (302, 303)
            return see_other("my_locked", query=("?heard=1" if link.over else "") if kept else _lost(request))
        if link.person is not None:
            return response
        return language.remember(request, response, language.checked(link.client.language))

    return client_door(guarded, "client")


def _shut(request: HttpRequest, link: Link | None) -> HttpResponse:
    """Nothing of this request was taken. A guardian who may not go on, and only looked, is at their own page again."""
    if link is None or not (link.over and link.page_open) or request.method == "POST":
        return see_other("my_locked", query=_lost(request))
    messages.info(request, gettext("You cannot go on with these forms now. What you answered before is saved."))
    return see_other("person_home")


def speaking(client: Client | None) -> AbstractContextManager[Any]:
    """In the client's own language; where no client is known, the device's goes on."""
    return translation.override(language.checked(client.language)) if client else nullcontext()


def known(request: HttpRequest, token: str = "") -> Client | None:
    """Whose page this is: the client of the link that was followed, or of what this browser holds, locked or not."""
    if not token and is_guardians(request):
        return None
    invitation = followed(token, timezone.now()) if token else held(request) or home_held(request)
    return invitation.client if invitation is not None and invitation.packet != PERSON else None


def followed(token: str, at: datetime) -> Invitation | None:
    """The invitation of this link while it works; None for one that does not, whatever the reason."""
    found: Invitation | None = (
        Invitation.objects.select_related("client__therapist").filter(token_digest=digest(token)).first()
    )
    if found is None:
        return None
    if found.packet == PERSON:
        return found if opens_person(found, at) else None
    works = opens_home(found, at) if found.packet == HOME else found.is_live(at)
    return found if works else None


def _lost(request: HttpRequest) -> str:
    return "?lost=1" if request.method == "POST" else ""


# --- Sessions --------------------------------------------------------------------------------------------------------


def admit(
    request: HttpRequest,
    invitation: Invitation,
    intake: Intake | None,
    *,
    receipt: bool = False,
    person: TrustedPerson | None = None,
) -> None:
    """Let this browser in, under a new session id. `person`: as the guardian who answers for the client."""
    request.session.cycle_key()
    now = timezone.now().timestamp()
    mine = request.session.get(KEY)
    if mine and mine["intake"] and not mine["receipt"]:
        this = _sitting_of(mine)
        before = [each for each in request.session.get(BEFORE, []) if each != this]
        request.session[BEFORE] = [*before, this][-MOST_BEFORE:]
    request.session[KEY] = {
        "invitation": str(invitation.pk),
        "intake": str(intake.pk) if intake else "",
        "at": now,
        "since": now,
        "receipt": receipt,
    } | ({"person": str(person.pk)} if person else {})


def _sitting_of(mine: dict[str, Any]) -> list[str]:
    """(invitation, intake, guardian who answers or "") of what a session holds."""
    return [mine["invitation"], mine["intake"], mine.get("person", "")]


def is_guardians(request: HttpRequest) -> bool:
    """Whether the sitting that this browser holds is held for a guardian: nothing of the client's own opens by it."""
    return "person" in (request.session.get(KEY) or {})


def wait(request: HttpRequest, invitation: Invitation) -> None:
    """This browser pressed the button of a link that is already answered elsewhere: it needs a code."""
    admit(request, invitation, None)
    request.session[KEY]["locked"] = True
    request.session.modified = True


def lock(request: HttpRequest) -> None:
    """Lock what this browser has open: the sitting, the client's own page, the page of somebody they trust."""
    for key in (KEY, HOME_KEY, PERSON_KEY):
        if key in request.session:
            request.session[key]["locked"] = True
            request.session.modified = True


def knock(request: HttpRequest, invitation: Invitation) -> None:
    """This browser pressed the button of the link to a client's own page: it may now say who it is."""
    mine = request.session.get(_place(invitation)) or {"knocks": True}
    showed = mine.get("invitation") == str(invitation.pk) and not mine.get("knocks")
    admit_home(request, invitation)
    request.session[_place(invitation)] |= {"locked": True, "knocks": not showed}


def _place(invitation: Invitation) -> str:
    return PERSON_KEY if invitation.packet == PERSON else HOME_KEY


def admit_home(request: HttpRequest, invitation: Invitation, *, by_code: bool = False) -> None:
    """Let this browser in to the page of this link, under a new session id. `by_code`: it showed a one-time code."""
    request.session.cycle_key()
    now = timezone.now().timestamp()
    request.session[_place(invitation)] = {
        "invitation": str(invitation.pk),
        "generation": invitation.generation,
        "at": now,
        "since": now,
        "locked": False,
        "by_code": by_code,
    }


def home_held(request: HttpRequest) -> Invitation | None:
    """The link to their own page that this browser pressed, locked or not; None when it is dead by now."""
    return _page_held(request, HOME_KEY, opens_home)


def person_held(request: HttpRequest) -> Invitation | None:
    """The link of a trusted person that this browser pressed, locked or not; None when it is dead by now."""
    return _page_held(request, PERSON_KEY, opens_person)


def _page_held(request: HttpRequest, key: str, opens: Callable[[Invitation, datetime], bool]) -> Invitation | None:
    mine = request.session.get(key)
    if not mine:
        return None
    rows = Invitation.objects.select_related("client__therapist", "person")
    found: Invitation | None = rows.filter(pk=mine["invitation"], packet=key).first()
    if found is None or found.generation != mine["generation"] or not opens(found, timezone.now()):
        return None
    return found


def opens_home(invitation: Invitation, at: datetime) -> bool:
    """Whether this link to a client's own page works: never for somebody who was discharged or died."""
    return invitation.is_live(at) and invitation.client.status not in Client.LEFT


def opens_person(invitation: Invitation, at: datetime) -> bool:
    """Whether the link of a trusted person works: while it lives, and while what was given to them holds."""
    person = invitation.person
    person.client = invitation.client
    return invitation.is_live(at) and trusted.state_of(person, at, Practice.get()) == trusted.OPEN


def home_of(request: HttpRequest) -> Link | None:
    """Return the own page that this browser holds, and count this as an act."""
    return _page_of(request, HOME_KEY, home_held(request))


def person_of(request: HttpRequest) -> Link | None:
    """Return the page of a trusted person that this browser holds, and count this as an act."""
    return _page_of(request, PERSON_KEY, person_held(request))


def _page_of(request: HttpRequest, key: str, invitation: Invitation | None) -> Link | None:
    if invitation is None:
        return None
    mine = request.session[key]
    now = timezone.now().timestamp()
    idle, age = now - mine["at"], now - mine["since"]
    if not mine["locked"] and (idle > settings.SESSION_IDLE_S or age > settings.SESSION_ABSOLUTE_S):
        mine["locked"] = True
        request.session.modified = True
    if not mine["locked"] and idle > QUIET_S:
        mine["at"] = now
        request.session.modified = True
    return Link(invitation, None, mine["locked"], False, Practice.get(), home=True)


def is_at_home(request: HttpRequest, client_id: Any) -> bool:
    """Whether this browser has the own page of this client open: who it is was shown already."""
    link = home_of(request)
    return link is not None and not link.locked and link.client.pk == client_id


def has_shown_code(request: HttpRequest, client_id: Any) -> bool:
    """Whether their own page is open here by a one-time code: a birth date, which others know, opens no answers."""
    return is_at_home(request, client_id) and bool(request.session[HOME_KEY].get("by_code"))


def held(request: HttpRequest) -> Invitation | None:
    """The invitation this browser holds, locked or not; None when there is none or it was withdrawn."""
    mine = request.session.get(KEY)
    if not mine:
        return None
    found: Invitation | None = (
        Invitation.objects.select_related("client__therapist", "intake").filter(pk=mine["invitation"]).first()
    )
    return None if found is None or found.state == Invitation.State.WITHDRAWN else found


def link_of(request: HttpRequest) -> Link | None:
    """Return what this browser may see, and count this as an act. What is locked stays so until a code opens it."""
    invitation = held(request)
    if invitation is None:
        return None
    mine = request.session[KEY]
    now = timezone.now().timestamp()
    intake = intake_of(invitation)
    if mine["intake"]:
        if intake is None or str(intake.pk) != mine["intake"]:
            intake, mine["locked"] = None, True  # begun anew in another browser before anything was answered
            request.session.modified = True
    elif intake is not None and not mine["receipt"]:
        if intake.saved_at is not None:  # else nothing is answered: this browser may still begin
            mine["locked"] = True
            request.session.modified = True
        intake = None  # begun elsewhere: nothing of it is read or written here before the code
    idle, age = now - mine["at"], now - mine["since"]
    if not mine.get("locked") and (idle > idle_s(request) or age > settings.SESSION_ABSOLUTE_S):
        lock(request)
    locked, person, over, page_open = bool(mine.get("locked")), None, False, False
    if is_guardians(request):
        person = TrustedPerson.objects.select_related("client").filter(pk=mine["person"]).first()
        over = not (person and intake and _goes_on(person, intake))
        theirs = person_of(request)
        page_open = theirs is not None and not theirs.locked
        locked = locked or over or not page_open
    if not locked and idle > QUIET_S:
        mine["at"] = now
        request.session.modified = True
    return Link(
        invitation, intake, locked, mine["receipt"], Practice.get(), person=person, over=over, page_open=page_open
    )


def _goes_on(person: TrustedPerson, intake: Intake) -> bool:
    """Whether this guardian still may answer, and has this sitting in hand."""
    return intake.answered_by_id == person.pk and trusted.may_act(person, timezone.now(), Practice.get())


def _is_in(link: Link | None, page: str, request: HttpRequest) -> bool:
    """Whether this browser is in a sitting now, that asks this page and is the one which the page was of."""
    from intake import actions  # this module is loaded while the apps are still getting ready

    if link is None or link.intake is None or request.POST.get("sitting", str(link.intake.pk)) != str(link.intake.pk):
        return False
    return not page or page in actions.packet_of(link.intake).by_slug


def left_of(request: HttpRequest, page: str) -> Link | None:
    """The sitting of a page that is still open in this browser, which cannot go on with it.

    Its link was taken back, by whomever and for whatever reason; it was begun anew in another browser; or another link
    was opened here since. Where staff took it back because it had reached somebody else, that person may raise a flag
    by it, once, and is shown nothing: a call too many. Refusing would lose the answer of everybody else.
    """
    from intake import actions

    mine = request.session.get(KEY)
    held_now = [_sitting_of(mine)] if mine and mine["intake"] and not mine["receipt"] else []
    before = request.session.get(BEFORE, [])[::-1] if page else []  # only a question says which sitting it is of
    for invitation, intake, who in held_now + before:
        if request.POST.get("sitting", intake) != intake:
            continue
        person = TrustedPerson.objects.select_related("client").filter(pk=who).first() if who else None
        sittings = Intake.objects.select_related("invitation__client__therapist")
        found: Intake | None = sittings.filter(invitation=invitation).first()
        if found is not None:
            anew = str(found.pk) != intake
            link = Link(found.invitation, found, True, False, Practice.get(), over=True, anew=anew, person=person)
            if not page or page in actions.packet_of(found).by_slug:
                return link
    return None


def left_home(request: HttpRequest) -> Link | None:
    """Whose own page is still open in this browser, however it closed; None where nobody had shown who they are."""
    mine = request.session.get(HOME_KEY)
    if not mine or mine.get("knocks"):
        return None
    rows = Invitation.objects.select_related("client__therapist")
    found: Invitation | None = rows.filter(pk=mine["invitation"], packet=HOME).first()
    return Link(found, None, True, False, Practice.get(), home=True, over=True) if found is not None else None


def note_leaving(request: HttpRequest) -> None:
    """Somebody pressed "leave quickly": after a safety answer that is shown to staff at once."""
    from intake import actions  # this module is loaded while the apps are still getting ready

    link = link_of(request) if KEY in request.session else None
    if link is not None and link.intake is not None and not link.locked:
        actions.stop(by=link.client, sitting=link.intake, at=timezone.now())


def intake_of(invitation: Invitation) -> Intake | None:
    try:
        return invitation.intake
    except Intake.DoesNotExist:
        return None


def is_here(request: HttpRequest) -> bool:
    """Whether this is a device of the practice, which others use after this client."""
    return bool(request.session.get(HERE))


def end_here(request: HttpRequest, *, lost: bool = False) -> HttpResponse:
    """Empty this browser of the client who sat at it, and show the page where the next one types a code."""
    logout(request)
    response = see_other("kiosk", query="?ended=1&lost=1" if lost else "?ended=1")
    response["Clear-Site-Data"] = CLEAR
    response.delete_cookie(settings.LANGUAGE_COOKIE_NAME)
    return response


def idle_s(request: HttpRequest) -> int:
    """After how many seconds without an act a client's page locks: sooner where others sit down next."""
    return min(HERE_IDLE_S, settings.SESSION_IDLE_S) if is_here(request) else settings.SESSION_IDLE_S


# --- Pages -----------------------------------------------------------------------------------------------------------


def show(
    request: HttpRequest, template: str, context: dict[str, Any] | None = None, *, status: int = 200
) -> HttpResponse:
    """Render a client page with what its frame needs."""
    link: Link | None = getattr(request, "link", None)
    frame: dict[str, Any] = {"home_url": "/"}
    if link is not None and not link.locked:
        sitting = not (link.receipt or link.home)
        frame = {
            "home_url": reverse("my_home" if link.home else "my_start"),
            "later_url": reverse("my_later") if sitting else "",
            "locked_url": reverse("my_locked"),
            "keeps": link.home,
            "call_me_url": reverse("my_call_me") if sitting and not link.person else "",
            "about": link.client.first_name if link.person else "",
            "idle_s": idle_s(request),
            "therapist": called(link.client, link.practice),
            "practice": link.practice,
        }
    return render(request, template, frame | (context or {}), status=status)


def called(client: Client, practice: Practice) -> str:
    """How the person who reads the answers is called: the therapist's first name, else the practice."""
    return client.therapist.first_name if client.therapist else practice.display_name
