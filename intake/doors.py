"""The client's doors: which browser may see and save which sitting.

A session holds {"invitation", "intake", "at", "since"}; nothing of it is in an address. Fifteen minutes without an act
lock it, counted here: a page that is sent after that is still saved, then locked; no page is shown. A browser gets in
by pressing the button of a link while nothing is answered, and after that by the return code or a one-time code.

The client's own page ("home") has its own door and its own place in the session: {"invitation", "generation", "at",
"since", "locked"}. Its link shows nothing before a one-time code, or the birth date, opened it in this browser. The
page of somebody whom the client trusts ("person") is held in the same way; only a code to them opens it.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from functools import wraps
from typing import Any

from django.conf import settings
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone, translation

from intake import trusted
from intake.models import Intake, Invitation
from intake.models.packets import HOME, PERSON, digest
from practice import language
from practice.middleware import CLEAR, kept_fields
from practice.models import Client, Practice
from practice.pages import View, client_door, once

KEY = "link"
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
    inner = once(view)

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        link = home_of(request)
        if link is not None and request.POST.get("locking"):  # the page locks itself, with words on it
            lock(request)
            link.locked = True
        with speaking(link.client if link else None):
            if link is None or link.locked:
                return _who_is_it(request, link)
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
        if link is None or (link.locked and not (keeps and request.method == "POST" and link.intake)):
            return HttpResponse(status=423) if twice else see_other("my_locked", query=_lost(request))
        request.link = link  # type: ignore[attr-defined]
        with speaking(link.client), timezone.override(link.practice.zone):
            response = inner(request, *args, **kwargs)
        if link.locked:
            return HttpResponse(status=423) if twice else see_other("my_locked")
        return language.remember(request, response, language.checked(link.client.language))

    return client_door(guarded, "client")


def speaking(client: Client | None) -> AbstractContextManager[Any]:
    """In the client's own language; where no client is known, the device's goes on."""
    return translation.override(language.checked(client.language)) if client else nullcontext()


def known(request: HttpRequest, token: str = "") -> Client | None:
    """Whose page this is: the client of the link that was followed, or of what this browser holds, locked or not."""
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


def admit(request: HttpRequest, invitation: Invitation, intake: Intake | None, *, receipt: bool = False) -> None:
    """Let this browser in, under a new session id."""
    request.session.cycle_key()
    now = timezone.now().timestamp()
    request.session[KEY] = {
        "invitation": str(invitation.pk),
        "intake": str(intake.pk) if intake else "",
        "at": now,
        "since": now,
        "receipt": receipt,
    }


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
    admit_home(request, invitation)
    request.session[_place(invitation)]["locked"] = True


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
    locked = bool(mine.get("locked"))
    if not locked and idle > QUIET_S:
        mine["at"] = now
        request.session.modified = True
    return Link(invitation, intake, locked, mine["receipt"], Practice.get())


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
            "call_me_url": reverse("my_call_me") if sitting else "",
            "idle_s": idle_s(request),
            "therapist": called(link.client, link.practice),
            "practice": link.practice,
        }
    return render(request, template, frame | (context or {}), status=status)


def called(client: Client, practice: Practice) -> str:
    """How the person who reads the answers is called: the therapist's first name, else the practice."""
    return client.therapist.first_name if client.therapist else practice.display_name
