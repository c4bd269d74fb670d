"""Messages on the client's own page: who reads and when stands beside the box, with 988; then what was written."""

from datetime import datetime
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from intake import thread
from intake.doors import Link, called, hearing, home_page, see_other, show
from intake.forms import Words
from intake.home import Line
from intake.models import Message
from intake.views.language import retelling
from intake.views.support import who_was_told
from practice import coverage
from practice.access import Permission
from practice.actions import NotNow
from practice.forms import HouseForm
from practice.language import as_typed
from practice.models import Client, Practice
from practice.templatetags.ui import full_day, moment

PER_PAGE = 30
PRESSED = ("now", "send", "keep")


class WriteForm(HouseForm):
    words = Words(long=True, label=_("Your message"), required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.helper.all_optional = True  # what is needed is said by the button that is pressed


def line(link: Link, at: datetime) -> Line | None:
    client, name = link.client, called(link.client, link.practice)
    new = thread.news_for(client).select_related("by").first()
    url = reverse("my_messages")
    if new is not None:
        assert new.by is not None  # news is what staff wrote
        text = gettext("%(name)s wrote to you on %(when)s.") % {"name": new.by.first_name, "when": moment(new.at)}
        return Line(title=gettext("A message for you"), text=text, url=url, label=gettext("Read it"), todo=True)
    if not thread.is_open(client):
        return None
    return Line(
        title=gettext("Messages"),
        text=gettext("Write to %(name)s about anything that can wait.") % {"name": name},
        url=url,
        label=gettext("Open messages"),
    )


def _now(request: HttpRequest) -> HttpResponse:
    """ "I need help now", pressed on a page that has closed: people are told at once, and nothing is shown."""
    link: Link = request.link  # type: ignore[attr-defined]
    _help(request, link.client, WriteForm(request.POST), timezone.now())
    return see_other("my_locked", query="?heard=1")


@hearing("now", _now)
@retelling
def my_messages(request: HttpRequest) -> HttpResponse:
    link: Link = request.link  # type: ignore[attr-defined]
    at, client = timezone.now(), link.client
    form = None
    if request.method == "POST":
        form = WriteForm(request.POST)
        if answer := _take(request, link, form, at):
            return answer
    if form is None:
        draft = thread.draft_of(client)
        form = as_typed(request, WriteForm(request.POST or None, initial={"words": draft.words if draft else ""}))
    page = Paginator(thread.thread_of(client), PER_PAGE).get_page(request.GET.get("page"))
    if request.method != "POST":
        thread.opened(by=client, client=client, rows=page, at=at)
    context = {
        "form": form,
        "is_open": thread.is_open(client),
        "truths": truths(client, link.practice, at),
        "rows": [_row(row, client, link.practice, at) for row in page],
        "page": page,
    }
    return show(request, "intake/my_messages.html", context, status=400 if form.errors else 200)


def _take(request: HttpRequest, link: Link, form: WriteForm, at: datetime) -> HttpResponse | None:
    """Do what was pressed; None when the form comes back. What is only typed is kept, and not sent."""
    client = link.client
    pressed = next((name for name in PRESSED if name in request.POST), "keep")
    if pressed == "now":
        return _help(request, client, form, at)
    if not form.is_valid():
        return None
    words = form.cleaned_data["words"]
    if pressed == "keep":
        thread.keep_draft(by=client, words=words, at=at)
        messages.success(request, gettext("Kept here. Nobody reads it until you send it."))
        return see_other("my_messages")
    if not words:
        form.add_error("words", gettext("Write your message first."))
        return None
    try:
        row = thread.write(by=client, words=words, wants_help=False, at=at)
    except NotNow as sentence:
        thread.keep_draft(by=client, words=words, at=at)
        form.add_error(None, str(sentence))
        return None
    said = gettext("Sent. It is read by %(when)s.") % {"when": moment(row.read_by_at)}
    messages.success(request, said)
    return see_other("my_messages")


def _help(request: HttpRequest, client: Client, form: WriteForm, at: datetime) -> HttpResponse:
    """Tell people at once. Words that cannot be sent as they are stay in the box; the rest does not wait for them."""
    fits = form.is_valid()
    typed = form.cleaned_data["words"] if fits else thread.fitting(request.POST.get("words", ""))
    thread.write(by=client, words=typed[: thread.LONGEST], wants_help=True, at=at)
    if rest := typed[thread.LONGEST :]:
        thread.keep_draft(by=client, words=rest, at=at)
    return see_other("my_messages_help")


@home_page
def my_messages_draft(request: HttpRequest) -> HttpResponse:
    """A script keeps what is typed while it is typed. The box works without it."""
    link: Link = request.link  # type: ignore[attr-defined]
    if request.method != "POST":
        return see_other("my_messages")
    form = WriteForm(request.POST)
    if not form.is_valid():
        return HttpResponse(status=400)
    thread.keep_draft(by=link.client, words=form.cleaned_data["words"], at=timezone.now())
    return HttpResponse(status=204)


@home_page
def my_messages_help(request: HttpRequest) -> HttpResponse:
    """After "I need help now": 988 and 911 first, then who was told and when."""
    link: Link = request.link  # type: ignore[attr-defined]
    client = link.client
    flag = thread.help_flag(client)
    if flag is None:
        return see_other("my_messages")
    person = client.contact("support") or client.contact("emergency") or {}
    context = {
        "truths": who_was_told(link.practice, flag, timezone.now()),
        "person": person if person.get("phone") else {},
    }
    return show(request, "intake/my_messages_help.html", context)


# --- Words -----------------------------------------------------------------------------------------------------------


def truths(client: Client, practice: Practice, at: datetime) -> list[str]:
    """Who reads what is sent now, by when, and who else may: from the roster and from who may do it."""
    therapist = client.therapist
    if therapist is None or not thread.is_open(client):
        return [gettext("Nobody is there to read a message now. Please call us.")]
    reader, due = coverage.message_reader(therapist, at, practice)
    names = {"name": therapist.first_name, "reader": reader.first_name, "when": moment(due)}
    until = coverage.away_until(therapist, coverage.local(at, practice).date())
    found = []
    if until is not None:
        found.append(gettext("%(name)s is away until %(until)s.") % {**names, "until": full_day(until)})
    if reader != therapist:
        said = gettext("%(reader)s reads it for %(name)s and answers, by %(when)s if you send it now.")
    else:
        said = gettext("%(reader)s reads it by %(when)s if you send it now.")
    found.append(said % names)
    found.append(gettext("Messages are not watched day and night, and not on weekends."))
    if practice.hours:
        found.append(gettext("We are here %(hours)s.") % {"hours": practice.hours})
    guide = therapist.supervisor
    if guide is not None and guide != reader and guide.is_active and guide.may(Permission.WRITE_MESSAGE):
        found.append(gettext("%(guide)s, who guides %(name)s, can read it too.") % {**names, "guide": guide.first_name})
    found.append(gettext("What you send becomes part of your record. It cannot be changed or taken back."))
    return found


def _row(row: Message, client: Client, practice: Practice, at: datetime) -> dict[str, Any]:
    mine = row.by is None
    return {
        "pk": row.pk,
        "mine": mine,
        "who": gettext("You") if row.by is None else row.by.name,
        "at": row.at,
        "words": row.words,
        "wants_help": row.wants_help,
        "by_text": row.by_text,
        "state": _read_words(row, practice, at) if mine else "",
    }


def _read_words(row: Message, practice: Practice, at: datetime) -> str:
    """Who opened the client's own message and when; else by when, and what to do when that time is over."""
    said = [
        gettext("%(name)s opened it on %(when)s.") % {"name": each.by.first_name, "when": moment(each.at)}
        for each in row.openings.all()
        if each.by is not None
    ]
    if said:
        return " ".join(said)
    if row.read_by_at is not None and row.read_by_at > at:
        return gettext("Not opened yet. It is read by %(when)s.") % {"when": moment(row.read_by_at)}
    if practice.phone:
        return gettext("Not opened yet. That is late, and we are sorry. Please call %(phone)s.") % {
            "phone": practice.phone
        }
    return gettext("Not opened yet. That is late, and we are sorry.")
