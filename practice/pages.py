"""The doors to a view. Every view has exactly one; a test walks the URLs and fails on a view without.

    @public                      anyone, signed out; the only way around the sign-in
    @staff_page(Permission.X)    staff who may do X; a client's row is then fetched by `client_of` or `record_of`
    @client_page                 a client on a link that they opened on this device (request.link)
    @signed                      another system, or a mail program: its proof is in the body or the address
    @link_page                   the steps before that: opening the link, the return code

A POST through any door but @autosave, and staff_page(often=True), carries the key of its form and is one transaction: a
second press of the same form lands on the page of the first and writes nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from hashlib import sha256
from typing import Any
from uuid import UUID

from allauth.account.authentication import get_authentication_records
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import BadRequest, PermissionDenied
from django.db import IntegrityError, transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.views.decorators.csrf import csrf_exempt

from practice import audit
from practice.access import Permission
from practice.middleware import keep_typed
from practice.models import Client, KeptForm, Practice, SentForm, User

View = Callable[..., HttpResponse]
LEAVES: list[Callable[[HttpRequest], None]] = []  # what the apps above note when somebody leaves quickly


@dataclass(frozen=True)
class Door:
    kind: str  # public, staff, client, link
    permission: Permission | None = None


class StaffRequest(HttpRequest):
    """What a view behind a staff door is given."""

    user: User
    practice: Practice
    permission: Permission


class OldForm(BadRequest):
    """The form has no key: it was not made by us, or long ago."""


def public(view: View) -> View:
    return _door(login_not_required(once(view)), Door("public"))


def staff_page(permission: Permission, *, often: bool = False, fresh: bool = False) -> Callable[[View], View]:
    """`often`: for what a script sends while somebody types: one transaction, too, but taken any number of times.
    `fresh`: the sign-in, or the password asked again, is at most five minutes old (security check 30).
    """

    def door(view: View) -> View:
        inner = _often(view) if often else once(view)

        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            request.permission = permission  # type: ignore[attr-defined]
            request.practice = Practice.get()  # type: ignore[attr-defined]
            try:
                if not request.user.may(permission):  # type: ignore[union-attr]
                    raise PermissionDenied
                if fresh and not proved_lately(request):
                    return ask_again(request)
                with timezone.override(request.practice.zone):  # type: ignore[attr-defined]
                    return inner(request, *args, **kwargs)
            except (Http404, PermissionDenied):
                refused(request)  # out here, where the refused act's transaction is already rolled back
                raise

        return _door(guarded, Door("staff", permission))

    return door


def proved_lately(request: HttpRequest) -> bool:
    """Whether this browser has shown who sits before it in the last five minutes."""
    records = get_authentication_records(request, request.user)
    last = max([request.session.get("started", 0), *(record["at"] for record in records)])
    return bool(timezone.now().timestamp() - last <= settings.ACCOUNT_REAUTHENTICATION_TIMEOUT)


def ask_again(request: HttpRequest) -> HttpResponse:
    """Ask for the password once more. What was typed is kept, and comes first afterwards."""
    with transaction.atomic():
        next_page = reverse("kept") if keep_typed(request) else request.get_full_path()
        audit.record("session.asked_again", by=request.user)
    demo = request.session.get("demo_role")  # the people of the demo have no password: they press their button again
    door = reverse("demo_sign_in", args=[demo]) if demo else reverse("account_reauthenticate")
    return HttpResponseRedirect(f"{door}?{urlencode({'next': next_page})}")


def signed(view: View) -> View:
    """What another system sends, without a page of ours: the body, or the address, carries its own proof."""

    @csrf_exempt
    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        with transaction.atomic():
            return view(request, *args, **kwargs)

    return _door(login_not_required(guarded), Door("public"))


def client_door(view: View, kind: str) -> View:
    """For intake.doors: the client's and the link's doors know invitations, which live above this package."""
    return _door(login_not_required(view), Door(kind))


def _door(view: View, door: Door) -> View:
    view.door = door  # type: ignore[attr-defined]
    return view


def once(view: View) -> View:
    """A POST is one transaction, and the same form sent twice is taken once."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.method != "POST":
            return view(request, *args, **kwargs)
        key = _key_of(request)
        with transaction.atomic():
            try:
                with transaction.atomic():
                    sent = SentForm.objects.create(key=key, path=_name(request), at=timezone.now())
            except IntegrityError:
                first = SentForm.objects.get(key=key)
                return HttpResponseRedirect(first.landed or request.path)
            response = view(request, *args, **kwargs)
            if response.status_code in (302, 303):
                SentForm.objects.filter(key=key).update(landed=response["Location"][:300])
                _forget_kept(request)
            else:
                sent.delete()  # nothing was taken: the same form may be corrected and sent again
        return response

    return guarded


def _often(view: View) -> View:
    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        with transaction.atomic():
            response = view(request, *args, **kwargs)
            if response.status_code in (302, 303):
                _forget_kept(request)
        return response

    return guarded


def _key_of(request: HttpRequest) -> str:
    """The key of a form, of this person and this page: one that somebody else sent, or elsewhere, is another key."""
    key = request.POST.get("form_key", "")
    if not (20 <= len(key) <= 64):
        raise OldForm
    who = request.user.pk if request.user.is_authenticated else request.session.session_key
    return sha256(f"{who}|{request.path}|{key}".encode()).hexdigest()


def _name(request: HttpRequest) -> str:
    """The page's name, not its address: an address may hold the token of a link."""
    match = request.resolver_match
    return (match.url_name if match else None) or ""


def _forget_kept(request: HttpRequest) -> None:
    """Text that was kept when a page locked is done with once it was taken."""
    try:
        kept = UUID(request.POST.get("kept", ""))
    except ValueError:
        return
    if request.user.is_authenticated:
        KeptForm.objects.filter(pk=kept, user=request.user).delete()


def refused(request: HttpRequest) -> None:
    audit.record("refused", by=request.user, outcome="refused", view=_name(request))


def device_of(request: HttpRequest) -> str:
    """From where and with what something was signed, for evidence."""
    return f"{request.origin} {request.headers.get('User-Agent', '')}"[:300]  # type: ignore[attr-defined]


def client_of(request: HttpRequest, pk: UUID) -> Client:
    """The client, within what the door's permission allows this person; 404 when not theirs, 403 when not for this."""
    return Client.objects.get_for(request.user, request.permission, pk)  # type: ignore[attr-defined, arg-type]


def record_of(request: HttpRequest, model: Any, pk: UUID, *, of: UUID | None = None) -> Any:
    """A row of a client, scoped like `client_of`; `of` is the client in the address, and another's row is unknown."""
    found = model.objects.get_for(request.user, request.permission, pk)  # type: ignore[attr-defined]
    if of is not None and found.client_id != of:
        raise Http404
    return found
