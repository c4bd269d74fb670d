"""The staff side of those who began by themselves: who is nobody's yet, and to whom they go."""

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.db.models import Q
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from intake import arrivals as acts
from intake.models import Invitation
from intake.trusted import is_of_age
from intake.views.inviting import therapists
from practice import audit, coverage, handover, places
from practice.access import Permission
from practice.actions import NotNow
from practice.forms import HouseForm, words_field
from practice.models import Client, PublicPages, User
from practice.pages import StaffRequest, client_of, staff_page
from practice.templatetags.ui import moment
from practice.views import choosing
from practice.views.clients import CHANNELS, back_to
from practice.views.people import Taker

PAGE = 50


@staff_page(Permission.ASSIGN_CLIENT)
def arrivals(request: StaffRequest) -> HttpResponse:
    at, user = timezone.now(), request.user
    found = acts.waiting(user).select_related("client")
    page = places.stretch(found, ["opened_at", "pk"], "arrivals", request.GET.get("after", ""), PAGE)
    known = _known(user, [task.client for task in page.rows])
    sent = _states([task.client_id for task in page.rows])
    today = coverage.local(at, request.practice).date()
    audit.record("read.arrivals", by=user, shown=len(page.rows))
    context = {
        "rows": [
            {
                "pk": task.client_id,
                "name": task.client.name,
                "code": task.client.code,
                "at": task.opened_at,
                "due": gettext("By {when}").format(when=moment(task.due_at)) if task.due_at else "",
                "late": task.due_at is not None and task.due_at <= at,
                "forms": sent.get(task.client_id, ""),
                "known": task.client_id in known,
                "minor": not is_of_age(task.client, today, request.practice),
            }
            for task in page.rows
        ],
        "more": choosing.url({"after": page.next}) if page.next else "",
        "top": choosing.url({}),
        "is_first": page.is_first,
        "is_open": acts.is_open(PublicPages.get()),
        "may_answer": user.may(Permission.ANSWER_ENQUIRY),
    }
    return render(request, "intake/arrivals.html", context)


def _known(user: User, clients: list[Client]) -> set[UUID]:
    """Those of these whose e-mail or phone another client has whom this person may see. One query."""
    mails = {one.email_index for one in clients if one.email_index}
    phones = {one.phone_index for one in clients if one.phone_index}
    theirs = Client.objects.visible_to(user).filter(Q(email_index__in=mails) | Q(phone_index__in=phones))
    pairs = list(theirs.values_list("pk", "email_index", "phone_index"))
    return {
        one.pk
        for one in clients
        if any(pk != one.pk and {mail, phone} & {one.email_index, one.phone_index} - {""} for pk, mail, phone in pairs)
    }


def _states(keys: list[UUID]) -> dict[UUID, str]:
    """How far their forms came, in a word. One query."""
    rows = Invitation.objects.filter(client__in=keys, packet=acts.PACKET).order_by("created_at")
    return {pk: str(Invitation.State(state).label) for pk, state in rows.values_list("client_id", "state")}


# --- One of them -----------------------------------------------------------------------------------------------------


class AssignForm(HouseForm):
    to = Taker(
        label=_("Therapist"),
        queryset=User.objects.none(),
        empty_label=_("Choose a therapist"),
        error_messages={"required": _("Choose their therapist."), "invalid_choice": _("Choose one of the therapists.")},
    )
    words = words_field(_("Why, if they have as many clients as they take"), "", required=False, max_length=400, rows=2)

    def __init__(self, *args: Any, by: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["to"].queryset = handover.with_load(therapists(by)).order_by("name")  # type: ignore[attr-defined]


class SameForm(HouseForm):
    other = forms.ModelChoiceField(
        label=_("Which client"),
        queryset=Client.objects.none(),
        widget=forms.RadioSelect,
        empty_label=None,
        error_messages={"required": _("Choose the client."), "invalid_choice": _("Choose one of these clients.")},
    )

    def __init__(self, *args: Any, same: list[Client], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        keys = [one.pk for one in same]
        self.fields["other"].queryset = Client.objects.filter(pk__in=keys).order_by("number")  # type: ignore[attr-defined]
        self.fields["other"].label_from_instance = lambda one: f"{one.name}, {one.code}"  # type: ignore[attr-defined]


@staff_page(Permission.ASSIGN_CLIENT)
def arrival(request: StaffRequest, pk: UUID) -> HttpResponse:
    """Somebody new, who may be the same person as a client, and who shall look after them."""
    at, user, client = timezone.now(), request.user, client_of(request, pk)
    came = client.arrivals.first()
    if came is None:
        raise Http404
    task = client.tasks.filter(kind=acts.TASK).order_by("-opened_at").first()
    same = acts.alike(user, client)
    act = request.POST.get("act", "") if request.method == "POST" else ""
    give = AssignForm(request.POST if act == "assign" else None, by=user)
    one = SameForm(request.POST if act == "same" else None, same=same)
    form: Any = {"assign": give, "same": one}.get(act)
    if form is not None and form.is_valid():
        try:
            said = _settle(user, client, act, form.cleaned_data, at)
        except NotNow as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, said)
            return redirect("arrivals")
    if request.method != "POST":
        audit.seen(request, client, "identity")
    reach = client.reach or {}
    mergeable = Client.objects.visible_to(user, Permission.MERGE_CLIENTS)
    both = mergeable.filter(pk__in=[client.pk, *(each.pk for each in same)])
    mine = set(both.values_list("pk", flat=True))
    context = {
        "client": client,
        "came": came,
        "minor": not is_of_age(client, coverage.local(at, request.practice).date(), request.practice),
        "task": task,
        "late": task is not None and task.done_at is None and task.due_at is not None and task.due_at <= at,
        "forms": _states([client.pk]).get(client.pk, ""),
        "ways": ", ".join(str(label).lower() for name, label in CHANNELS if reach.get(name)),
        "same": same,
        "may_merge": [each for each in same if {client.pk, each.pk} <= mine],
        "give": give,
        "one": one,
        "form": form or give,
        "back": back_to(user, client),
    }
    return render(request, "intake/arrival.html", context, status=400 if form is not None and form.errors else 200)


def _settle(user: User, client: Client, act: str, said: dict[str, Any], at: Any) -> str:
    if act == "same":
        acts.same_person(by=user, client=client, other=said["other"], at=at)
        return gettext("{name} is with the therapist of {code} now, who is asked to read both records.").format(
            name=client.name, code=said["other"].code
        )
    acts.assign(by=user, client=client, to=said["to"], words=said["words"], at=at)
    return gettext("{client} is with {name} now.").format(client=client.name, name=said["to"].name)
