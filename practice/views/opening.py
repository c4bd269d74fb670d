"""Ready to open: what a new practice sets up, in the order in which one does it, and which step is the next."""

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from practice import coverage, signing
from practice.access import Permission, Role
from practice.keys import PURPOSES
from practice.models import Alert, Practice, RoleGrant, Site, User
from practice.pages import StaffRequest


@dataclass(frozen=True)
class Step:
    """One line of the checklist."""

    label: str | Promise
    done: bool
    why: str | Promise
    missing: str | Promise
    url: str = ""  # where this person can set it themselves


def checklist(practice: Practice, user: User) -> list[Step]:
    """What has to be so before clients are invited; `user` gets a link where they can set it themselves."""
    edit = reverse("practice_edit")
    roles = set(RoleGrant.objects.filter(user__is_active=True).values_list("role", flat=True))
    sites = [site.name for site in Site.objects.all()]
    gaps = gap_words(coverage.gaps(coverage.shifts()))
    signs = reverse("clinical_sign") if user.may(Permission.SIGN_CLINICAL) else ""
    return [
        Step(
            _("Keys"),
            all(purpose in settings.KEY_RING.keys for purpose in PURPOSES),
            _("What clients write is sealed with them."),
            _("The key ring lacks a key. Ask whoever runs the server."),
        ),
        Step(
            _("Mail"),
            settings.LOOPBACK or not settings.EMAIL_BACKEND.endswith("filebased.EmailBackend"),
            _("Invitations, codes and safety flags go out by mail."),
            _("Mail is written to files, not sent. Ask whoever runs the server."),
        ),
        Step(
            _("Name, phone and hours"),
            bool(practice.name and practice.phone and practice.hours_text),
            gettext("Clients read them on every page. All times are those of {zone}.").format(
                zone=practice.zone.replace("_", " ")
            ),
            " ".join(str(words) for name, words in UNSET.items() if not getattr(practice, name)),
            edit,
        ),
        Step(
            _("What an answer does"),
            practice.answer_calls_nobody,
            _("The form promises it above each safety question, so it has to be true here."),
            _("Not confirmed that an answer calls nobody. Safety questions cannot be sent."),
            f"{edit}#practiceform_answer_calls_nobody",
        ),
        Step(
            _("Sites"),
            bool(sites),
            gettext("Clients and colleagues each belong to a place. You have: {names}.").format(names=", ".join(sites))
            if sites
            else _("Clients and colleagues each belong to a place."),
            _("No place yet where you work."),
            reverse("sites"),
        ),
        Step(
            _("People"),
            NEEDED.keys() <= roles,
            _("A client is invited for a therapist, and a supervisor signs what Waymark goes by."),
            " ".join(str(words) for role, words in NEEDED.items() if role not in roles),
            reverse("people"),
        ),
        Step(
            _("On call"),
            not gaps,
            _("Whoever is on call is told of a safety flag at once, day and night."),
            " ".join(gaps),
            reverse("coverage"),
        ),
        Step(
            _("Drill"),
            Alert.objects.filter(is_drill=True).exclude(acknowledged_at=None).exists(),
            _("It shows that a flag reaches a person, before a real one does."),
            _("No drill was picked up yet. Whoever is on call gets a mail, opens its link and presses one button."),
            reverse("drill"),
        ),
        Step(
            _("Clinical lead's signature"),
            not signing.unsigned(practice),
            _("A clinician says that the rules and texts may be used here."),
            _("The clinical rules and texts are not signed. A supervisor signs them."),
            signs,
        ),
    ]


UNSET = {
    "name": _("The practice has no name."),
    "phone": _("Clients have no number to call."),
    "hours_text": _("Clients are not told when you are there."),
}
NEEDED: dict[str, str | Promise] = {
    Role.THERAPIST: _("Nobody is a therapist yet."),
    Role.SUPERVISOR: _("Nobody is a supervisor yet."),
}


def following(left: list[Step]) -> Step | None:
    """The next step: the first that this person can do themselves, else the first."""
    return next((step for step in left if step.url), left[0] if left else None)


def setting_up(request: StaffRequest) -> dict[str, Any] | None:
    """What is left, for the pages where it is set. None when nothing is, or when it is not for this person to do."""
    if not request.user.may(Permission.SEE_PRACTICE):
        return None
    left = [step for step in checklist(request.practice, request.user) if not step.done]
    step = following(left)
    if step is None:
        return None
    return {"n": len(left), "next": step, "is_here": step.url.partition("#")[0] == request.path}


def gap_words(gaps: list[tuple[int, int]]) -> list[str]:
    """Return "Nobody is on call Sat 6 pm to Mon 8 am." for each stretch of the week; hours count from Monday 0:00."""
    if gaps == [(0, HOURS)]:
        return [gettext("Nobody is on call, at no time of the week.")]
    if len(gaps) > 1 and gaps[0][0] == 0 and gaps[-1][1] == HOURS:
        gaps = [*gaps[1:-1], (gaps[-1][0], gaps[0][1] + HOURS)]  # the week goes round
    return [gettext("Nobody is on call {start} to {end}.").format(start=_hour(a), end=_hour(b)) for a, b in gaps]


HOURS = 7 * 24
DAYS = (_("Mon"), _("Tue"), _("Wed"), _("Thu"), _("Fri"), _("Sat"), _("Sun"))


def _hour(of_week: int) -> str:
    day, hour = divmod(of_week % HOURS, 24)
    clock = (
        gettext("midnight") if hour == 0 else f"{(hour - 1) % 12 + 1} {gettext('am') if hour < 12 else gettext('pm')}"
    )
    return f"{DAYS[day]} {clock}"
