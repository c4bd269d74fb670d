"""The clinic's doors: which browser may read and answer which referral, without an account.

A session holds {"key", "at", "since", "name", ...} after a one-time code; nothing of it is in an address. Fifteen
minutes without an act lock it, as elsewhere; a PIN that was set on this device opens it again for twelve hours. Each
page asks anew whether the clinic may still read what it was sent.
"""

from dataclasses import dataclass
from datetime import timedelta
from functools import wraps
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib.auth.hashers import check_password, make_password
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone

from intake.doors import see_other
from practice.middleware import kept_fields
from practice.models import Client, Practice
from practice.pages import View, client_door, once
from referrals import disclosure
from referrals.models import DeskKey, Packet, Referral
from referrals.states import TERMINAL, State

KEY = "desk"
QUIET_S = 30  # an act within this time of the last one does not rewrite the session
PIN_S = 12 * 3600
PIN_TRIES = 5
CLOSES_AFTER = timedelta(days=30)  # the end of a referral


@dataclass
class Desk:
    """Who is at the door: an address of a clinic that showed its code in this browser."""

    key: DeskKey
    practice: Practice
    name: str
    """Of the person at the clinic, as they last wrote it."""


def link_page(view: View) -> View:
    """The steps before: opening a link, the code, a new link."""
    taken_once = once(view)

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        with timezone.override(Practice.get().zone):
            return taken_once(request, *args, **kwargs)

    return client_door(guarded, "desk")


def desk_page(view: View) -> View:
    """A page past the code (request.desk). POSTs are one transaction and taken once."""
    return _door(once(view))


def referral_page(view: View) -> View:
    """A page past the code about one referral, given to the view; its clinic may read it at this moment."""

    def gated(request: HttpRequest, referral: UUID, *args: Any, **kwargs: Any) -> HttpResponse:
        found = referral_of(request, referral)
        gone = why_gone(found)
        return gone_page(request, found, gone) if gone else view(request, found, *args, **kwargs)

    return _door(once(wraps(view)(gated)))


def safety_page(view: View) -> View:
    """Like `referral_page`, but open whatever became of the referral or of the lock: a worry can always be told."""

    def found_only(request: HttpRequest, referral: UUID, *args: Any, **kwargs: Any) -> HttpResponse:
        return view(request, referral_of(request, referral), *args, **kwargs)

    return _door(once(wraps(view)(found_only)), keeps=True)


def _door(inner: View, *, keeps: bool = False) -> View:
    """`keeps`: what is sent from a page that locked while it was written is taken, too; no page is shown for it."""

    @wraps(inner)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        practice = Practice.get()
        with timezone.override(practice.zone):
            key = key_of(request)
            if key is not None and request.POST.get("locking"):  # the page locks itself, with words on it
                lock(request)
                return ask_again(request)
            locked = key is not None and is_locked(request)
            if key is None or (locked and not (keeps and request.method == "POST" and was_in(request))):
                return ask_again(request)
            request.desk = Desk(key, practice, request.session[KEY].get("name", ""))  # type: ignore[attr-defined]
            response = inner(request, *args, **kwargs)
            return ask_again(request) if locked and response.status_code == 400 else response

    return client_door(guarded, "desk")


def ask_again(request: HttpRequest) -> HttpResponse:
    """Locked: to the code. What was typed comes along on the page, never in a store, and is offered again after it."""
    from referrals.views import desk  # the page of the code is a view; it is loaded after the doors

    if request.method != "POST" or (fields := kept_fields(request)) == []:
        return see_other("desk_code")
    return desk.code_page(request, kept={"path": request.path, "fields": fields})


# --- Sessions --------------------------------------------------------------------------------------------------------


def ask(request: HttpRequest, referral: Referral, key: DeskKey, *, whole_list: bool = False, sent_to: str = "") -> None:
    """This browser asked for a code for this address, from the link of this referral. `sent_to`: where it went, as far
    as somebody may see it who only has the link."""
    mine = request.session.get(KEY) or {}
    pin = {name: mine[name] for name in ("pin", "pin_until", "pin_tries", "name") if name in mine}
    if mine.get("key") != str(key.pk):
        pin = {}
    request.session[KEY] = pin | {
        "key": str(key.pk),
        "referral": str(referral.pk),
        "all": whole_list,
        "sent_to": sent_to,
        "locked": True,
        "at": 0,
        "since": 0,
    }


def wants_list(request: HttpRequest) -> bool:
    return bool(request.session[KEY].get("all"))


def admit(request: HttpRequest, *, by_pin: bool = False) -> None:
    """Let this browser in, under a new session id. `by_pin`: for what is left of the twelve hours after the code."""
    request.session.cycle_key()
    now = timezone.now().timestamp()
    since = request.session[KEY]["pin_until"] - PIN_S if by_pin else now
    request.session[KEY] |= {"locked": False, "at": now, "since": since}
    request.session.modified = True


def lock(request: HttpRequest) -> None:
    if KEY in request.session:
        request.session[KEY]["locked"] = True
        request.session.modified = True


def leave(request: HttpRequest) -> None:
    """Forget this clinic on this device, its PIN too."""
    request.session.pop(KEY, None)
    request.session.cycle_key()


def held(request: HttpRequest) -> tuple[DeskKey, Referral] | None:
    """The address and the referral this browser came for, locked or not; None when there is none any more."""
    mine = request.session.get(KEY)
    if not mine:
        return None
    key = DeskKey.objects.select_related("destination").filter(pk=mine["key"]).exclude(approved_at=None).first()
    if key is None:
        return None
    came_for = with_people(Referral.objects.at_desk(key).filter(pk=mine["referral"])).first()
    return (key, came_for) if came_for is not None else None


def key_of(request: HttpRequest) -> DeskKey | None:
    """Return whose page this browser may see, and count this as an act."""
    mine = request.session.get(KEY)
    if not mine:
        return None
    key: DeskKey | None = (
        DeskKey.objects.select_related("destination").filter(pk=mine["key"]).exclude(approved_at=None).first()
    )
    now = timezone.now().timestamp()
    if now - mine["at"] > settings.SESSION_IDLE_S or now - mine["since"] > settings.SESSION_ABSOLUTE_S:
        lock(request)
    elif not mine.get("locked") and now - mine["at"] > QUIET_S:
        mine["at"] = now
        request.session.modified = True
    return key


def is_locked(request: HttpRequest) -> bool:
    return bool(request.session[KEY].get("locked"))


def was_in(request: HttpRequest) -> bool:
    """Whether this browser showed its code before, for this key."""
    return bool((request.session.get(KEY) or {}).get("since"))


def say_name(request: HttpRequest, name: str) -> None:
    """Remember how the person at this device is called, to fill the next form."""
    if name.strip() and request.session[KEY].get("name") != name.strip()[:80]:
        request.session[KEY]["name"] = name.strip()[:80]
        request.session.modified = True


# --- The PIN of this device ------------------------------------------------------------------------------------------


def set_pin(request: HttpRequest, pin: str) -> None:
    until = timezone.now().timestamp() + PIN_S
    request.session[KEY] |= {"pin": make_password(pin), "pin_until": until, "pin_tries": 0}
    request.session.modified = True


def has_pin(request: HttpRequest) -> bool:
    mine = request.session.get(KEY) or {}
    return bool(mine.get("pin")) and timezone.now().timestamp() < mine["pin_until"]


def try_pin(request: HttpRequest, pin: str) -> bool:
    """Return whether it is the PIN of this device. After five wrong ones it is forgotten, and a code is needed."""
    mine = request.session[KEY]
    if check_password(pin, mine["pin"]):
        mine["pin_tries"] = 0
        return True
    mine["pin_tries"] += 1
    if mine["pin_tries"] >= PIN_TRIES:
        for name in ("pin", "pin_until", "pin_tries"):
            del mine[name]
    request.session.modified = True
    return False


# --- What may be read ------------------------------------------------------------------------------------------------


def with_people(referrals: Any) -> Any:
    return referrals.select_related("client__therapist", "destination", "contact", "release", "sent_by")


def referral_of(request: HttpRequest, pk: UUID) -> Referral:
    """The referral, within what this address of the clinic may see; 404 for any other."""
    desk: Desk = request.desk  # type: ignore[attr-defined]
    found: Referral | None = with_people(Referral.objects.at_desk(desk.key).filter(pk=pk)).first()
    if found is None:
        raise Http404
    return found


def packet_of(referral: Referral) -> Packet | None:
    """The newest packet that went to this clinic; its PDF is read only where it is given out."""
    sent: Packet | None = referral.packets.exclude(disclosures=None).defer("pdf").order_by("-number").first()
    return sent


def why_gone(referral: Referral) -> str:
    """Why nothing of the client is shown any more: withdrawn, taken_back or closed; empty while it may be read."""
    if referral.state == State.CANCELLED:
        return "withdrawn"
    if referral.client.status in Client.LEFT:
        return "closed"
    if referral.state in TERMINAL and timezone.now() - referral.state_at > CLOSES_AFTER:
        return "closed"
    packet = packet_of(referral)
    answer = disclosure.may_read(packet, timezone.now()) if packet is not None else None
    if answer is None or answer.code in (disclosure.REVOKED, disclosure.NONE_ON_FILE, disclosure.RECIPIENT_NOT_NAMED):
        return "taken_back"
    return "" if answer.allowed else "ended"


def gone_page(request: HttpRequest, referral: Referral, why: str) -> HttpResponse:
    inside = hasattr(request, "desk")
    unsent = request.POST.get("words", "").strip() if inside else ""  # of a page that stood open: theirs, not lost
    context = {"referral": referral, "why": why, "may_report": inside, "unsent": unsent}
    return show(request, "referrals/desk_gone.html", context, status=410)


# --- Pages -----------------------------------------------------------------------------------------------------------


def show(
    request: HttpRequest, template: str, context: dict[str, Any] | None = None, *, status: int = 200
) -> HttpResponse:
    """Render a page of the clinic with what its frame needs."""
    desk: Desk | None = getattr(request, "desk", None)
    frame: dict[str, Any] = {"practice": desk.practice if desk else Practice.get()}
    if desk is not None:
        frame |= {
            "key": desk.key,
            "locked_url": reverse("desk_code") + "?locked=1",
            "idle_s": settings.SESSION_IDLE_S,
            "person": desk.name,
        }
    referral = (context or {}).get("referral")
    if desk is not None and referral is not None:
        frame["back_url"] = reverse("desk_referral", args=[referral.pk])
    return render(request, template, frame | (context or {}), status=status)
