"""The client's right to a copy of their record, on their own page: ask for it, see by when it comes, take it back."""

from datetime import datetime

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from intake.doors import Link, home_page, see_other, show
from intake.home import Line
from intake.views.language import retelling
from practice import access_requests, audit
from practice.actions import NotNow
from practice.forms import HouseForm, words_field
from practice.language import as_typed
from practice.models import AccessRequest
from practice.templatetags.ui import full_day

LONGEST = 1000


class AskForm(HouseForm):
    words = words_field(
        _("Anything we should know"),
        "",
        required=False,
        max_length=LONGEST,
        rows=3,
        help_text=_("Such as: on paper, only the letters, or a person who may fetch it."),
    )


def line(link: Link, at: datetime) -> Line:
    waiting = access_requests.open_request(link.client)
    text = gettext("A copy of what we keep about you. It is your right.")
    if waiting is not None:
        text = gettext("You asked for a copy. You have it by %(day)s.") % {"day": full_day(waiting.due_on)}
    return Line(
        title=gettext("Your record"),
        text=text,
        url=reverse("my_record"),
        label=gettext("See where it stands") if waiting else gettext("Ask for a copy of my record"),
    )


@home_page
@retelling
def my_record(request: HttpRequest) -> HttpResponse:
    link: Link = request.link  # type: ignore[attr-defined]
    at, client = timezone.now(), link.client
    waiting = access_requests.open_request(client)
    form = as_typed(request, AskForm(request.POST or None))
    if request.method == "POST" and "back" in request.POST:
        return _take_back(link, waiting, at, request)
    if request.method == "POST" and form.is_valid():
        access_requests.ask(by=client, client=client, words=form.cleaned_data["words"], at=at)
        messages.success(request, gettext("We have your request."))
        return see_other("my_record")
    if request.method != "POST":
        audit.record("read.my_record", by=client, client=client, at=at)
    given = AccessRequest.objects.filter(client=client, state=AccessRequest.State.GIVEN).order_by("-closed_at").first()
    context = {"waiting": waiting, "form": form, "given": given}
    return show(request, "intake/my_record.html", context, status=400 if form.errors else 200)


def _take_back(link: Link, waiting: AccessRequest | None, at: datetime, request: HttpRequest) -> HttpResponse:
    try:
        if waiting is not None:
            access_requests.withdraw(by=link.client, request=waiting, words="", at=at)
            messages.success(request, gettext("You took your request back. You can ask again any time."))
    except NotNow as sentence:
        messages.info(request, str(sentence))
    return see_other("my_record")
