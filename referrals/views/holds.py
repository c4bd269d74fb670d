"""What stands in the way of a path, how it is said, and the page on which a person clears it."""

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from practice import audit
from practice.access import Permission
from practice.actions import NotNow
from practice.clinical import table
from practice.forms import HouseForm, words_field
from practice.models import Client, SafetyContact, User
from practice.pages import client_of, staff_page
from practice.templatetags.ui import moment
from practice.views.chart import frame, named, reader
from practice.views.rules import MODALITY_WORDS, OWN, name, value_words
from referrals import holds
from referrals.actions import decisions as actions
from referrals.holds import Hold, Kind

WORDS_OF: dict[Kind, Any] = {
    Kind.CARE_TODAY: _("Everything is on hold: {reason} {must}"),
    Kind.SAFETY: _("{paths} is on hold by {rule}. To clear it: {must}"),
    Kind.HOLD: _("{paths} is on hold by {rule}. To clear it: {must}"),
    Kind.EXCLUDE: _("{paths} is not suggested, by {rule}: {reason} A prescriber may decide otherwise with a reason."),
}
SEVERAL_OF: dict[Kind, Any] = WORDS_OF | {
    Kind.SAFETY: _("{paths} are on hold by {rule}. To clear it: {must}"),
    Kind.HOLD: _("{paths} are on hold by {rule}. To clear it: {must}"),
    Kind.EXCLUDE: _("{paths} are not suggested, by {rule}: {reason} A prescriber may decide otherwise with a reason."),
}


BRIEF_OF: dict[Kind, Any] = WORDS_OF | {
    Kind.SAFETY: _("On hold by {rule}. To clear it: {must}"),
    Kind.HOLD: _("On hold by {rule}. To clear it: {must}"),
    Kind.EXCLUDE: _("Not suggested, by {rule}: {reason} A prescriber may decide otherwise with a reason."),
}


class ClearForm(HouseForm):
    words = words_field(
        _("Why this may go on"),
        _("Write why this may go on."),
        help_text=_(
            "It is kept in the record with your name, and holds while the answers it is about stay as they are."
        ),
    )


def line(hold: Hold, person: User, paths: tuple[str, ...] | None = None, *, brief: bool = False) -> dict[str, Any]:
    """One hold in words, with the button that clears it; cleared ones say who cleared them.

    `paths`: name these only. `brief`: under the name of its path already.
    """
    shown = [path for path in hold.paths if paths is None or path in paths]
    named_paths = _capital(_and([str(MODALITY_WORDS[path]) for path in shown]))
    said = (BRIEF_OF if brief else SEVERAL_OF if len(shown) > 1 else WORDS_OF)[hold.kind]
    cleared = cleared_words(hold, person)
    return {
        "text": cleared
        or str(said).format(paths=named_paths, rule=name(hold.rule), reason=hold.reason, must=hold.must),
        "cleared": bool(cleared),
        "url": hold.clear_url,
        "label": hold.clear_label,
        "rule": hold.rule,
        "safety": hold.kind in (Kind.SAFETY, Kind.CARE_TODAY),
    }


def cleared_words(hold: Hold, person: User) -> str:
    """Who cleared this hold and when; empty while nobody has."""
    row = hold.cleared_by
    if row is None:
        return ""
    if isinstance(row, SafetyContact):
        return gettext("{rule}: contact recorded {when} by {who}.").format(
            rule=name(hold.rule), when=moment(row.recorded_at), who=named(row.by, person)
        )
    said = (
        gettext("{rule}: a prescriber's reason was written {when} by {who}.")
        if row.is_override
        else gettext("{rule}: cleared {when} by {who}.")
    )
    return said.format(rule=name(hold.rule), when=moment(row.at), who=named(row.by, person))


def _and(words: list[str]) -> str:
    return gettext(" and ").join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else "".join(words)


def _capital(words: str) -> str:
    return f"{words[:1].upper()}{words[1:]}"


@staff_page(Permission.READ_CHART)
def hold_clear(request: HttpRequest, pk: UUID, rule: str) -> HttpResponse:
    """What this rule holds or excludes for this client; whoever may, clears it by words."""
    at = timezone.now()
    client = client_of(request, pk)
    if rule not in OWN and rule not in {each.id for each in table.rules()}:
        raise Http404
    person = reader(request)
    standing = holds.standing(client, at)
    act = _act(client, person, standing.by_rule(rule))
    form = ClearForm(request.POST or None)
    if request.method == "POST":
        needed = request.POST.get("act")
        if needed not in ACTS:
            raise Http404
        Client.objects.get_for(person, ACTS[needed][0], pk)
        if form.is_valid() and _cleared(person, client, rule, needed, form, at):
            messages.success(request, gettext("Written down. It counts while these answers stay as they are."))
            return redirect("hold_clear", pk, rule)
    else:
        audit.seen(request, client, "hold", client, rule=rule)
    found = standing.by_rule(rule)
    context = {
        **frame(request, client, at),
        "rule": rule,
        "rule_name": name(rule),
        "lines": [line(hold, person) for hold in found],
        "safety": [hold for hold in found if hold.kind == Kind.SAFETY],
        "hold": found[0] if found else None,
        "inputs": [
            {"label": table.inputs()[n].label, "value": _value_words(standing.inputs.get(n))}
            for n in (table.rule(rule).inputs if rule not in OWN else ())
        ],
        "act": act or (request.POST.get("act", "") if form.errors else ""),
        "excluded": any(hold.kind == Kind.EXCLUDE and hold.cleared_by is None for hold in found),
        "written": [row for row in client.clearances.select_related("by") if row.rule == rule],
        "form": form,
    }
    return render(request, "referrals/hold_clear.html", context, status=400 if form.errors else 200)


ACTS: dict[str, tuple[Permission, Callable[..., Any]]] = {
    "override": (Permission.OVERRIDE_EXCLUSION, actions.override),
    "clear": (Permission.DECIDE, actions.clear_hold),
}


def _value_words(value: Any) -> str:
    return gettext("not known") if value is None else value_words(value)


def _act(client: Client, person: User, found: list[Hold]) -> str:
    """Which of the two acts this person may do now on this rule, if any."""
    standing = {hold.kind for hold in found if hold.cleared_by is None}
    wanted = {"override": Kind.EXCLUDE, "clear": Kind.HOLD}
    for act, (permission, _do) in ACTS.items():
        if wanted[act] in standing and Client.objects.visible_to(person, permission).filter(pk=client.pk).exists():
            return act
    return ""


def _cleared(person: User, client: Client, rule: str, act: str, form: ClearForm, at: datetime) -> bool:
    try:
        ACTS[act][1](by=person, client=client, rule=rule, words=form.cleaned_data["words"], at=at)
    except NotNow as sentence:
        form.add_error(None, str(sentence))
        return False
    return True
