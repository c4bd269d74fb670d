"""What a client and their therapist write to each other, on the staff side. Notes for colleagues stand elsewhere."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import DateTimeField
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext, gettext_lazy

from intake import thread
from intake.forms import Words
from intake.models import Message
from practice import audit, coverage, places, words
from practice.access import Permission
from practice.actions import NotNow
from practice.forms import HouseForm
from practice.models import Client, Task, User
from practice.pages import StaffRequest, client_of, staff_page
from practice.templatetags.ui import full_day, moment
from practice.views.chart import SIDE, Panel, allowed, frame, reader

PER_PAGE = 30
PAGE = 50
WAYS = {"email": gettext_lazy("e-mail"), "sms": gettext_lazy("text message")}


class AnswerForm(HouseForm):
    words = Words(
        long=True,
        label=gettext_lazy("Message"),
        error_messages={"required": gettext_lazy("Write the message first.")},
    )
    sure = forms.BooleanField()

    def __init__(self, *args: Any, client: Client, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        names = {"name": client.name, "first": client.first_name}
        self.fields["words"].label = gettext("Message to {first}").format(**names)
        self.fields["sure"].label = gettext("This goes to {name}. {first} reads it.").format(**names)
        self.fields["sure"].error_messages["required"] = gettext("Tick that this goes to {name}.").format(**names)


# --- The thread ------------------------------------------------------------------------------------------------------


def panel(request: HttpRequest, client: Client, at: datetime) -> Panel | None:
    """When somebody wrote last and whether it was read. No words: those are on their own page."""
    if Permission.WRITE_MESSAGE not in allowed(reader(request), client):
        return None
    last = thread.thread_of(client).first()
    return Panel("intake/messages_panel.html", {"last": last, "state": _last_words(last, client)}, SIDE)


def _last_words(last: Message | None, client: Client) -> str:
    if last is None:
        return gettext("Nobody has written yet.")
    names = {"name": client.first_name, "when": moment(last.at), "who": last.by.name if last.by else ""}
    seen = any((each.by_id is None) != (last.by_id is None) for each in last.openings.all())
    if last.by is None:
        said = gettext("{name} wrote {when}.") if seen else gettext("{name} wrote {when}. Nobody has opened it.")
    else:
        said = gettext("{who} wrote {when}.") if seen else gettext("{who} wrote {when}. {name} has not opened it.")
    return said.format(**names)


@staff_page(Permission.WRITE_MESSAGE)
def client_messages(request: HttpRequest, pk: UUID) -> HttpResponse:
    """The thread, the newest first. To open it is to have opened what the client wrote; they see that, and when."""
    at, user = timezone.now(), reader(request)
    client = client_of(request, pk)
    form = AnswerForm(request.POST or None, client=client)
    if request.method == "POST" and form.is_valid() and _sent(request, client, form, at):
        return redirect("client_messages", pk)
    page = Paginator(thread.thread_of(client), PER_PAGE).get_page(request.GET.get("page"))
    if request.method != "POST":
        audit.seen(request, client, "messages")
        thread.opened(by=user, client=client, rows=page, at=at)
    context = {
        **_frame(request, client, at),
        "form": form,
        "is_open": client.status not in Client.LEFT,
        "waiting": client.tasks.filter(kind="message", done_at=None).first(),
        "covers": covers_words(user, client, at),
        "ways": _ways(client),
        "rows": [_row(row, client) for row in page],
        "page": page,
    }
    return render(request, "intake/messages.html", context, status=400 if form.errors else 200)


def _frame(request: HttpRequest, client: Client, at: datetime) -> dict[str, Any]:
    """What stands above the page. Somebody who covers sees who this is, and nothing of the chart."""
    if Permission.READ_CHART in allowed(reader(request), client):
        return frame(request, client, at) | {"back": client.get_absolute_url()}
    story = {"name": client.name, "meta": client.code, "chips": [], "facts": [], "actions": []}
    return {"client": client, "bar": None, "story": story, "emergency": None, "back": ""}


def _sent(request: HttpRequest, client: Client, form: AnswerForm, at: datetime) -> bool:
    try:
        ways = thread.answer(by=reader(request), client=client, words=form.cleaned_data["words"], at=at)
    except NotNow as sentence:
        form.add_error(None, str(sentence))
        return False
    said = gettext("Sent to {name}.").format(name=client.name)
    if not ways:
        said += " " + gettext("No safe way to tell them is known: they see it when they open their page.")
    messages.success(request, said)
    return True


def _ways(client: Client) -> str:
    """How the client hears that there is something, in words."""
    found = [str(label) for way, label in WAYS.items() if client.may_reach_by(way)]
    if not found:
        return gettext("No safe way to tell them is known: they see it when they open their page.")
    return gettext("They are told by {ways} that there is a message, without its words.").format(
        ways=gettext(" and ").join(found)
    )


def covers_words(user: User, client: Client, at: datetime) -> str:
    """Why somebody who is not their therapist reads this, when they cover."""
    therapist = client.therapist
    if therapist is None or therapist == user:
        return ""
    day = timezone.localdate(at)
    until = coverage.away_until(therapist, day)
    if until is None or coverage.cover_of(therapist, day) != user:
        return ""
    return gettext("You cover for {name}, who is away until {day}.").format(name=therapist.name, day=full_day(until))


def _row(row: Message, client: Client) -> dict[str, Any]:
    theirs = row.by is None
    seen = [each for each in row.openings.all() if (each.by_id is None) != theirs]
    said = [
        gettext("Opened by {who}, {when}.").format(
            who=each.by.name if each.by else client.first_name, when=moment(each.at)
        )
        for each in seen
    ]
    if not seen:
        said = [gettext("Not opened yet.")]
    if theirs and not seen and row.read_by_at:
        words_of = gettext("To be read by {when}.") if row.by_text else gettext("They were told: read by {when}.")
        said.append(words_of.format(when=moment(row.read_by_at)))
    return {
        "pk": row.pk,
        "theirs": theirs,
        "who": row.by.name if row.by else client.name,
        "at": row.at,
        "words": row.words,
        "wants_help": row.wants_help,
        "by_text": row.by_text,
        "state": " ".join(said),
    }


@staff_page(Permission.WRITE_MESSAGE)
def client_messages_done(request: HttpRequest, pk: UUID) -> HttpResponse:
    """No answer is needed."""
    client = client_of(request, pk)
    if request.method == "POST":
        try:
            thread.put_away(by=reader(request), client=client, at=timezone.now())
            messages.success(request, gettext("Noted: no answer needed."))
        except NotNow as sentence:
            messages.warning(request, str(sentence))
    return redirect("client_messages", pk)


# --- All of them -----------------------------------------------------------------------------------------------------


@staff_page(Permission.WRITE_MESSAGE)
def inbox(request: StaffRequest) -> HttpResponse:
    """What waits for an answer, the soonest due first: one's own clients, the team's, and those one covers."""
    at, user = timezone.now(), request.user
    found = Task.objects.visible_to(user, Permission.WRITE_MESSAGE).filter(kind="message", done_at=None)
    found = found.select_related("client__therapist__backup")
    found = found.annotate(by=Coalesce("due_at", "opened_at", output_field=DateTimeField()))
    shown = places.stretch(found, ["by", "pk"], "inbox", request.GET.get("after", ""), PAGE)
    covered = {person.pk for person in coverage.covered_by(user, at)}
    audit.record("read.inbox", by=user, at=at)
    context = {
        "rows": [
            {
                "client": task.client,
                "therapist": "" if task.client.therapist == user else task.client.therapist,
                "covered": task.client.therapist_id in covered,
                "opened_at": task.opened_at,
                "due_at": task.due_at,
                "due": words.due(task, at),
                "late": task.due_at is not None and task.due_at <= at,
            }
            for task in shown.rows
        ],
        "more": shown.next,
        "is_first": shown.is_first,
    }
    return render(request, "intake/inbox.html", context)
