"""Find a client by the beginning of a name, e-mail, phone or its last digits, or number: within one's own scope."""

import re
from typing import Any

from django import forms
from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from practice import audit
from practice.access import Permission
from practice.models import Client, User
from practice.pages import StaffRequest, staff_page
from practice.sealed import blind
from practice.views.caseload import meta

SHOWN = 20
LONGEST = 200
OPENED = 400  # rows whose sealed phone is opened to compare its last digits
NUMBER = re.compile(r"(?:ch-?)?0*(\d{1,7})", re.IGNORECASE)


class ClientNumber(forms.CharField):
    """The client with this number; None where nothing was typed."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=12, required=False, **kwargs)

    def clean(self, value: Any) -> Client | None:
        asked = str(super().clean(value))
        if not asked:
            return None
        number = NUMBER.fullmatch(asked)
        found: Client | None = Client.objects.filter(number=int(number[1])).first() if number else None
        if found is None:
            raise forms.ValidationError(_("There is no client with this number. Write it as CH-0412."))
        return found


@staff_page(Permission.SEE_CLIENT)
def search(request: StaffRequest) -> HttpResponse:
    asked = " ".join(request.GET.get("q", "")[:LONGEST].replace("\x00", "").split())
    context: dict[str, Any] = {"q": asked, "may_break_glass": request.user.may(Permission.BREAK_GLASS)}
    if asked:
        clients = find(request.user, asked)
        audit.record("search", by=request.user, found=len(clients))
        context |= {"rows": _rows(request.user, clients[:SHOWN]), "more": len(clients) > SHOWN, "shown": SHOWN}
    return render(request, "practice/search.html", context)


def find(user: User, asked: str) -> list[Client]:
    """Return at most one more than SHOWN of the clients this person may see. `asked` never reaches a log."""
    mine = Client.objects.visible_to(user).select_related("therapist")
    if "@" in asked:
        return list(mine.filter(email_index=blind("email", asked))[: SHOWN + 1])
    digits = "".join(c for c in asked if c.isdecimal())
    if number := NUMBER.fullmatch(asked):
        found = list(mine.filter(number=int(number[1])))
        return found + [client for client in _phone_ends(mine, digits) if client not in found]
    if len(digits) >= 7 and not any(c.isalpha() for c in asked):
        return list(mine.filter(phone_index=blind("phone", digits))[: SHOWN + 1])
    return list(mine.named(asked)[: SHOWN + 1])


def _phone_ends(mine: QuerySet[Client], digits: str) -> list[Client]:
    """Clients whose phone ends so: only in a caseload small enough to look through, and from three digits on."""
    if len(digits) < 3:
        return []
    few = list(mine.order_by("-number")[: OPENED + 1])
    if len(few) > OPENED:
        return []
    ends = [client for client in few if "".join(c for c in client.phone if c.isdecimal()).endswith(digits)]
    return ends[: SHOWN + 1]


def _rows(user: User, clients: list[Client]) -> list[dict[str, Any]]:
    today = timezone.localdate()
    ids = [client.pk for client in clients]
    charts = set(Client.objects.visible_to(user, Permission.READ_CHART).filter(pk__in=ids).values_list("pk", flat=True))
    return [
        {
            "id": client.code,
            "url": client.get_absolute_url() if client.pk in charts else reverse("client_edit", args=[client.pk]),
            "name": client.name,
            "meta": ", ".join(part for part in (meta(client, today), client.code) if part),
            "therapist": client.therapist.name if client.therapist else gettext("Nobody yet"),
            "state": Client.Status(client.status).label,
        }
        for client in sorted(clients, key=lambda client: client.name.casefold())
    ]
