"""What stands in the way of sending a referral, each with the button that mends it.

Deciding and preparing are never held back. Sending is. Whether something may be disclosed is asked of one gate
(referrals/disclosure.py), again when it is written down.
"""

from dataclasses import dataclass
from datetime import datetime

from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext

from practice.models import Client
from referrals import disclosure, holds
from referrals import packet as packets
from referrals.actions.drafts import has_sign, needs_hand_off
from referrals.models import (
    Path,
    Referral,
)

RELEASE = "release"  # what an emergency may go without; nothing else


@dataclass(frozen=True)
class Problem:
    """Why a referral cannot be sent yet, in words, and where it is mended."""

    words: str
    url: str
    label: str
    stops: bool = True  # else it only warns
    about: str = ""


def problems(
    referral: Referral,
    at: datetime,
    answer: disclosure.Answer | None = None,
    standing: holds.Standing | None = None,
) -> list[Problem]:
    """Everything that keeps this referral from being sent, then what one should know before. Empty: it can go.

    `answer` is what `packet.outgoing` said of this referral, `standing` what `holds.standing` said of its client, when
    the caller has it already.
    """
    client, here = referral.client, reverse("referral_edit", args=[referral.pk])
    standing = standing or holds.standing(client, at)
    found = []
    if client.status in Client.LEFT:
        found.append(
            Problem(
                gettext("This client is not in care any more. Nothing is sent about them."),
                client.get_absolute_url(),
                gettext("Open the chart"),
            )
        )
    found += _of_clinic(referral, here, has_sign(referral, standing))
    if not (referral.why_now or "").strip():
        found.append(
            Problem(gettext("It does not say why now."), f"{here}#draftform_why_now", gettext("Write why now"))
        )
    for hold in holds.uncleared(standing, referral.path):
        words = gettext("On hold by {rule}: {reason} {must}").format(rule=hold.rule, reason=hold.reason, must=hold.must)
        found.append(Problem(words, hold.clear_url, hold.clear_label))
    if referral.destination is not None:
        found += _of_release(referral, answer or packets.outgoing(referral, at)[1], here)
    if needs_hand_off(referral, standing) and referral.handed_off_at is None:
        words = gettext("Urgent, with suicidal thoughts: the call to the clinic is not recorded yet.")
        found.append(Problem(words, f"{here}#hand-off", gettext("Record the hand-off")))
    return found + _of_others(referral)


def _of_clinic(referral: Referral, here: str, sign: bool) -> list[Problem]:
    clinic, choose = referral.destination, gettext("Choose a clinic")
    if clinic is None:
        return [Problem(gettext("No clinic is chosen."), f"{here}#clinics", choose)]
    found = []
    if not clinic.is_active:
        words = gettext("{clinic} is not used for new referrals any more.").format(clinic=clinic)
        found.append(Problem(words, f"{here}#clinics", choose))
    if referral.path not in clinic.paths:
        words = gettext("{clinic} does not offer this kind of care: {path}.").format(
            clinic=clinic, path=Path(referral.path).label
        )
        found.append(Problem(words, f"{here}#clinics", choose))
    if sign and clinic.accepts_suicidal is False:
        words = gettext("{clinic} does not accept clients with suicidal thoughts.").format(clinic=clinic)
        found.append(Problem(words, f"{here}#clinics", gettext("Choose another"), stops=False))
    return found


def _of_release(referral: Referral, answer: disclosure.Answer | None, here: str) -> list[Problem]:
    if answer is None or answer.allowed:
        return []
    if answer.code == disclosure.SECTION_EXCLUDED and answer.sections:
        return [Problem(answer.words, f"{here}#withheld", gettext("Leave these out"), about=RELEASE)]
    url = reverse("release_new", args=[referral.client_id])
    query = urlencode({"destination": str(referral.destination_id), "referral": str(referral.pk)})
    return [Problem(answer.words, f"{url}?{query}", gettext("Ask the client to sign now"), about=RELEASE)]


def _of_others(referral: Referral) -> list[Problem]:
    """An open referral to the same place, and one of the same kind elsewhere (G23)."""
    found = []
    open_now = Referral.objects.open().filter(client=referral.client, path=referral.path).exclude(pk=referral.pk)
    for other in open_now.select_related("client", "destination"):
        words = (
            gettext("{reference} to {clinic} is open already.")
            if other.destination_id == referral.destination_id
            else gettext("{reference} of the same kind is open at {clinic}.")
        ).format(reference=other.reference, clinic=other.destination)
        found.append(Problem(words, other.get_absolute_url(), gettext("Open it"), stops=False))
    return found
