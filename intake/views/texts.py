"""Where the text message service hands over what people text to our number."""

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone

from intake import texts
from practice.pages import signed
from practice.sms import LONGEST_BODY, NotReadable, NotSigned, gateway

RETRY_S = 900


@signed
def texts_in(request: HttpRequest) -> HttpResponse:
    """204: taken, or taken before. 403: not signed, or too old. 429: try later. It never says whose number it is."""
    if not settings.SMS_IN_SECRET:
        raise Http404
    if request.method != "POST":
        return HttpResponse(status=405, headers={"Allow": "POST"})
    if int(request.headers.get("Content-Length") or 0) > LONGEST_BODY:
        return HttpResponse("Too long.", status=413, content_type="text/plain")
    at = timezone.now()
    try:
        texts.take(gateway().read(request.headers, request.body, at=at), at=at)
    except NotSigned:
        return HttpResponse("Not signed with our key, or too old.", status=403, content_type="text/plain")
    except NotReadable as sentence:
        return HttpResponse(str(sentence), status=400, content_type="text/plain")
    except texts.TooMany:
        return HttpResponse("Try again later.", status=429, content_type="text/plain", headers={"Retry-After": RETRY_S})
    return HttpResponse(status=204)
