"""A medication list from a phone, a page at a time: beside the question of a form, and from the client's own page."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from intake import medicines
from intake.doors import Link, client_page, home_page, is_here, see_other, show
from intake.home import Line
from intake.models import MedicinePage
from practice import audit, pictures, uploads
from practice.actions import NotNow
from practice.forms import HouseForm
from practice.models import Client

ACCEPT = "image/jpeg,image/png,application/pdf"  # so that an iPhone sends its photos as JPEG
SHOWN = 24  # the newest pages on the client's page


class PageForm(HouseForm):
    file = forms.FileField(
        label=_("Photo or PDF"),
        help_text=_("JPEG, PNG or PDF, up to 20 MB. One page at a time."),
        allow_empty_file=True,
        widget=forms.FileInput({"accept": ACCEPT}),
    )


def line(link: Link, at: datetime) -> Line:
    n = medicines.waiting(link.client).count()
    return Line(
        title=gettext("Your medication list"),
        text=said_of(n) or gettext("Send a photo of your list, or of the labels, from your phone."),
        url=reverse("my_medicines"),
        label=gettext("Send a photo of my list"),
    )


def said_of(n: int) -> str:
    """What is true of the pages that wait; nothing of none."""
    if not n:
        return ""
    return gettext("Pages that wait to be read: %(n)s.") % {"n": n}


@uploads.takes_file
@home_page
def my_medicines(request: HttpRequest) -> HttpResponse:
    return _page(request, "my_medicines", reverse("my_home"))


@uploads.takes_file
@client_page
def my_form_medicines(request: HttpRequest) -> HttpResponse:
    """From the question of a form, which is saved. A device of the practice takes no photos."""
    link: Link = request.link  # type: ignore[attr-defined]
    if link.intake is None or link.receipt or link.person or is_here(request):
        return see_other("my_start")
    if link.intake.submitted_at is not None:
        return see_other("my_done")
    return _page(request, "my_form_medicines", reverse("my_page", args=[medicines.QUESTION]))


def _page(request: HttpRequest, name: str, back: str) -> HttpResponse:
    link: Link = request.link  # type: ignore[attr-defined]
    at, client = timezone.now(), link.client
    if request.method == "POST" and "back" in request.POST:
        _take_back(request, client, at)
        return see_other(name)
    form = PageForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and _taken(request, client, form, at):
        return see_other(name)
    if request.method != "POST":
        audit.record("read.my_medicines", by=client, client=client, at=at)
    pages = list(medicines.pages_of(client).order_by("-at")[:SHOWN])
    context = {
        "form": form,
        "back_url": back,
        "rows": [_row(page) for page in reversed(pages)],
        "full": sum(page.typed_at is None for page in pages) >= medicines.MOST,
        "most": medicines.MOST,
    }
    return show(request, "intake/my_medicines.html", context, status=400 if form.errors else 200)


def _taken(request: HttpRequest, client: Client, form: PageForm, at: datetime) -> bool:
    form.full_clean()
    form.errors.pop("file", None)
    try:
        medicines.send(by=client, body=_body(request), at=at)
    except NotNow as sentence:
        form.add_error("file", str(sentence))
        return False
    messages.success(request, gettext("Your page is here. You can add another."))
    return True


def _take_back(request: HttpRequest, client: Client, at: datetime) -> None:
    try:
        page = UUID(request.POST["back"])
    except ValueError:
        raise Http404 from None
    try:
        medicines.take_back(by=client, page=page, at=at)
    except NotNow as sentence:
        messages.warning(request, str(sentence))
    else:
        messages.success(request, gettext("Taken back. Nobody can open this page here any more."))


def _body(request: HttpRequest) -> bytes:
    """The bytes of the file. Raises NotNow when none was sent, or more than we take."""
    if uploads.was_too_large(request):
        said = gettext("That file is larger than %(n)s MB. Take a photo of the list and send that.")
        raise NotNow(said % {"n": uploads.LARGEST // 1024 // 1024})
    file = request.FILES.get("file")
    if file is None:
        raise NotNow(gettext("Choose a photo or a PDF first."))
    return file.read()  # in memory, of a known greatest size (practice.uploads)


def _row(page: MedicinePage) -> dict[str, Any]:
    state = gettext("Waits to be read.")
    if page.typed_by is not None:
        state = gettext("%(name)s typed it into your record.") % {"name": page.typed_by.first_name}
    what = gettext("PDF") if page.kind == pictures.PDF else gettext("Photo")
    return {"what": what, "at": page.at, "state": state, "back": page.pk if page.typed_at is None else None}
