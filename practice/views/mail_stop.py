"""Where the way out of a mail leads: one press of the mail program (RFC 8058), or the page with its button."""

import hmac
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone, translation

from practice import stops
from practice.language import HOUSE, checked
from practice.models import Notice, Stop
from practice.notices import unsubscribe_token
from practice.pages import signed

HEX_OF_ID = 32


@signed
def mail_stop(request: HttpRequest, token: str) -> HttpResponse:
    """Looking at the page changes nothing: mail scanners look. Its key is that of one mail, and stops one mailbox."""
    notice = _of(token)
    at = timezone.now()
    if request.method == "POST":
        if request.POST.get("again"):
            stops.start(channel=stops.EMAIL, address=notice.address, at=at)
        else:
            stops.stop(channel=stops.EMAIL, address=notice.address, at=at)
        if "List-Unsubscribe" in request.POST:
            return HttpResponse(status=200, content_type="text/plain")
        return redirect("mail_stop", token)
    language = checked(notice.client.language) if notice.client else HOUSE
    with translation.override(language):
        stopped = Stop.objects.of(stops.EMAIL, notice.address).exists()
        return render(request, "practice/mail_stop.html", {"stopped": stopped, "token": token})


def _of(token: str) -> Notice:
    try:
        pk = UUID(token[:HEX_OF_ID])
    except ValueError:
        raise Http404 from None
    if not hmac.compare_digest(token.encode(), unsubscribe_token(pk).encode()):
        raise Http404
    found = Notice.objects.select_related("client").filter(pk=pk, channel=Notice.Channel.EMAIL).first()
    if found is None or not found.address:
        raise Http404
    return found
