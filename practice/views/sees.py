"""What somebody here may do and whom they reach, worked out from the rules themselves; nobody is impersonated."""

from collections.abc import Iterator
from typing import Any, cast
from uuid import UUID

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from practice import audit
from practice.access import REACH, Permission, Reach, Role
from practice.models import Client, User
from practice.pages import Door, StaffRequest, staff_page

MOST_NUMBERS = 300
P = Permission
Words = str | Promise

REACH_WORDS: dict[Reach, Words] = {
    Reach.OWN: _("own clients"),
    Reach.TEAM: _("own clients, and those of the people they supervise"),
    Reach.PRESCRIBED: _("clients they prescribe for"),
    Reach.SITE: _("clients of their sites"),
    Reach.PRACTICE: _("every client"),
}
PERMISSION_WORDS: dict[str, Words] = {
    P.SEE_CASELOAD: _("See the caseload"),
    P.SEE_CLIENT: _("See name, contact, states and counts of a client"),
    P.READ_CHART: _("Read a chart: answers, scores, flags, notes"),
    P.MARK_READ: _("Mark answers and letters as read"),
    P.ACT_ON_ALERT: _("Pick up a safety flag, record a contact, close it"),
    P.RAISE_FLAG: _("Raise a safety flag"),
    P.REVIEW_SUGGESTION: _("Review a suggestion"),
    P.WRITE_NOTE: _("Write a note"),
    P.WRITE_SAFETY_PLAN: _("Write a safety plan"),
    P.DECIDE: _("Decide on care"),
    P.OVERRIDE_EXCLUSION: _("Write a prescriber's reason against an exclusion"),
    P.ASK_RELEASE: _("Ask for a release of information"),
    P.SEND_REFERRAL: _("Send a referral"),
    P.SEE_REFERRALS: _("See where referrals stand"),
    P.TRACK_REFERRAL: _("Remind and call clinics, record what they say"),
    P.EDIT_DIRECTORY: _("Change the directory of clinics"),
    P.PLAN_KAP: _("Plan sessions"),
    P.RUN_SESSION: _("Run a session"),
    P.CLEAR_DOSES: _("Clear doses"),
    P.SEE_PLANS: _("See the dates of plans"),
    P.INVITE_CLIENT: _("Add a client, send forms"),
    P.ANSWER_ENQUIRY: _("Answer people who ask and are not clients"),
    P.FILL_IN: _("Fill in forms with what a client says"),
    P.ASSIGN_CLIENT: _("Give new people to a therapist"),
    P.EDIT_CLIENT: _("Change a client's details"),
    P.SEE_ALERTS: _("See alerts"),
    P.SEE_PRACTICE: _("See the settings of the practice"),
    P.MANAGE_PRACTICE: _("Change the settings of the practice"),
    P.MANAGE_PEOPLE: _("Invite people, change roles, let somebody go"),
    P.SIGN_CLINICAL: _("Sign the clinical rules"),
    P.RUN_DRILL: _("Run a drill"),
    P.READ_AUDIT: _("Read the audit trail"),
    P.BREAK_GLASS: _("Open a chart in an emergency, for an hour"),
    P.REVIEW_BREAK_GLASS: _("Review emergency access, and who looked at what"),
    P.KEEP_RECORDS: _("See to backups, hold and delete records"),
    P.SEE_OWN_ACCOUNT: _("See their own account"),
    "see reports": _("See reports"),
    "export client": _("Export a client's record"),
    "export practice": _("Export the whole practice"),
    "import clients": _("Import clients"),
    "move clients": _("Move clients to another therapist"),
    P.MERGE_CLIENTS: _("Make one of two records of the same person, and undo it"),
    "keep absences": _("Write down when other people are away"),
    "tune rules": _("Change thresholds of the rules"),
    P.WRITE_MESSAGE: _("Read and write messages with a client"),
}


def doors(resolver: URLResolver) -> Iterator[tuple[str, Door]]:
    """(name, door) of every page that has one."""
    for entry in resolver.url_patterns:
        if isinstance(entry, URLPattern):
            if door := getattr(entry.callback, "door", None):
                yield str(entry.name), door
        else:
            yield from doors(entry)


def pages() -> dict[Permission, list[str]]:
    """The addresses that each permission opens, with … for the client or the row in them."""
    root = get_resolver()
    found: dict[Permission, list[str]] = {}
    for name, door in doors(root):
        if door.permission is not None:
            ((address, arguments), *_rest), *_others = cast(Any, root.reverse_dict)[name]
            found.setdefault(door.permission, []).append("/" + address % dict.fromkeys(arguments, "…"))
    return {permission: sorted(set(addresses)) for permission, addresses in found.items()}


@staff_page(Permission.MANAGE_PEOPLE, fresh=True)
def person_sees(request: StaffRequest, pk: UUID) -> HttpResponse:
    person = User.objects.filter(pk=pk).prefetch_related("role_grants", "sites").first()
    if person is None:
        raise Http404
    opened = pages()
    rows = [
        {"words": PERMISSION_WORDS.get(p, str(p)), "may": person.may(p), "pages": opened.get(p, [])}
        for p in Permission
        if p in opened
    ]
    audit.record("read.sees", by=request.user, target=person)
    context = {
        "person": person,
        "roles": [(Role(role).label, REACH_WORDS[REACH[role]]) for role in sorted(person.roles)],
        "reach": [
            _reach(person, Permission.SEE_CLIENT, _("Names, contacts, states and counts"), "user"),
            _reach(person, Permission.READ_CHART, _("Charts: answers, scores, flags, notes"), "file-text"),
        ],
        "may": [row for row in rows if row["may"]],
        "may_not": [row for row in rows if not row["may"]],
    }
    return render(request, "practice/person_sees.html", context)


def _reach(person: User, permission: Permission, title: Words, icon: str) -> dict[str, Any]:
    """How many clients this person reaches for something, and which, by number only."""
    found = Client.objects.visible_to(person, permission)
    numbers = [client.code for client in found.only("pk", "number").order_by("number")[:MOST_NUMBERS]]
    n = found.count() if len(numbers) == MOST_NUMBERS else len(numbers)
    return {"id": permission.name.lower(), "title": title, "icon": icon, "n": n, "numbers": numbers,
            "more": n - len(numbers)}  # fmt: skip
