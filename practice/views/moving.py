"""Handing clients over to another therapist: one, or as many as are ticked."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db.models import QuerySet
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from practice import audit, handover, places
from practice.access import Permission
from practice.actions import NotNow
from practice.forms import HouseForm, words_field
from practice.models import Client, User
from practice.pages import StaffRequest, staff_page
from practice.views import choosing
from practice.views.people import Taker

PAGE = 100
NOBODY = "none"


class MoveForm(HouseForm):
    to = Taker(
        label=_("New therapist"),
        queryset=User.objects.none(),
        empty_label=_("Choose a therapist"),
        error_messages={
            "required": _("Choose who takes them."),
            "invalid_choice": _("Choose one of the therapists."),
        },
    )
    words = words_field(
        _("Why"),
        "",
        required=False,
        max_length=400,
        rows=2,
        help_text=_("Needed when the new therapist has as many clients as they take. It stays with the handover."),
    )

    def __init__(self, *args: Any, by: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.helper.all_optional = True  # the words are needed when the therapist has as many as they take
        self.fields["to"].queryset = handover.takers(by)  # type: ignore[attr-defined]


def keys(values: list[str]) -> list[UUID]:
    """The keys among what was sent; anything else is left out."""
    found = []
    for value in values[:PAGE]:
        try:
            found.append(UUID(value))
        except ValueError:
            continue
    return found


def movable(user: User) -> QuerySet[Client]:
    theirs = Client.objects.visible_to(user, Permission.MOVE_CLIENTS).exclude(status__in=Client.LEFT)
    return theirs.select_related("therapist")


@staff_page(Permission.MOVE_CLIENTS)
def clients_move(request: StaffRequest) -> HttpResponse:
    """Only what this person may move is moved, and only that is spoken of, whatever keys were sent."""
    mine, form = movable(request.user), MoveForm(request.POST or None, by=request.user)
    ticked = list(mine.filter(pk__in=keys(request.POST.getlist("client")))) if request.method == "POST" else []
    if request.method == "POST" and form.is_valid():
        if not ticked:
            form.add_error(None, gettext("Tick whom you hand over."))
        elif _moved(request, form, ticked):
            return redirect(request.get_full_path())
    one = _one(request, mine)
    shown = _shown(request, mine, one)
    context = {
        "form": form,
        "one": one,
        "before": list(one.handovers.select_related("former", "to", "by")) if one else [],
        "rows": shown.rows,
        "ticked": {client.pk for client in ticked} | ({one.pk} if one else set()),
        "people": [] if one else _people(request, mine),
        "more": choosing.url({"from": request.GET.get("from", ""), "after": shown.next}) if shown.next else "",
        "is_first": shown.is_first,
        "top": choosing.url({"from": request.GET.get("from", "")}),
        "alarms": handover.alarms() if request.user.may(Permission.MANAGE_PEOPLE) else [],
    }
    return render(request, "practice/clients_move.html", context, status=400 if form.errors else 200)


def _moved(request: StaffRequest, form: MoveForm, ticked: list[Client]) -> bool:
    to = form.cleaned_data["to"]
    try:
        n = handover.transfer(
            by=request.user, clients=ticked, to=to, words=form.cleaned_data["words"], at=timezone.now()
        )
    except NotNow as refusal:
        form.add_error("words" if handover.is_over(to, 1) or len(ticked) > 1 else None, str(refusal))
        return False
    said = ngettext("{n} client is with {name} now.", "{n} clients are with {name} now.", n)
    nothing = gettext("They are with {name} already.")
    messages.success(request, (said if n else nothing).format(n=n, name=to.name))
    return True


def _one(request: StaffRequest, mine: QuerySet[Client]) -> Client | None:
    """The one client in the address, when the page was opened from their own."""
    asked = request.GET.get("client", "")
    if not asked:
        return None
    found = mine.filter(pk__in=keys([asked])).first()
    if found is None and request.method != "POST":
        raise Http404
    if found is not None:
        audit.seen(request, found, "handovers")
    return found


def _shown(request: StaffRequest, mine: QuerySet[Client], one: Client | None) -> places.Stretch:
    if one is not None:
        return places.Stretch([one], "", is_first=True)
    whose = request.GET.get("from", "")
    if whose == NOBODY:
        mine = mine.filter(pk__in=handover.alone().values("pk"))
    elif whose:
        mine = mine.filter(therapist__in=keys([whose]))
    return places.stretch(mine, ["number", "pk"], f"move|{whose}", request.GET.get("after", ""), PAGE)


def _people(request: StaffRequest, mine: QuerySet[Client]) -> list[dict[str, Any]]:
    """Whose clients the list shows, with how many each has."""
    chosen = request.GET.get("from", "")
    found = [choosing.link({}, "from", "", gettext("All"), not chosen)]
    if request.user.may(Permission.MANAGE_PEOPLE):
        alone = handover.alone().count()
        if alone or chosen == NOBODY:
            found.append(choosing.link({}, "from", NOBODY, gettext("Nobody's"), chosen == NOBODY, str(alone)))
    for person in handover.takers(request.user):
        key = str(person.pk)
        found.append(choosing.link({}, "from", key, person.name, chosen == key, _count(person)))
    return found


def _count(person: Any) -> str:
    return f"{person.in_care}/{person.most_clients}" if person.most_clients is not None else str(person.in_care)
