"""May this be disclosed? One answer with its reason. It gates every send and every view of a packet, nothing else.

    may_disclose(client, destination, sections, purpose, at)   before something is sent, or frozen to be sent
    may_read(packet, at)                                       each time a clinic opens what it was sent
    disclose(...)                                              the row that says that something left

Nothing is remembered between two questions, so a release that is taken back stops the next view.
"""

import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache
from pathlib import Path

from django.db import transaction
from django.utils.translation import gettext

from intake import trusted
from intake.models import Look, TrustedPerson
from practice import audit, coverage
from practice.actions import NotNow
from practice.language import HOUSE, said_in
from practice.models import Client, Practice, User
from practice.templatetags.ui import full_day
from referrals.models import Destination, Disclosure, Packet, Referral, Release, Section

OK, NOT_SIGNED, EXPIRED, REVOKED = map(str, Release.Standing)
EMERGENCY, NONE_ON_FILE = "emergency", "none_on_file"
RECIPIENT_NOT_NAMED, SECTION_EXCLUDED, PART2_MISSING = "recipient_not_named", "section_excluded", "part2_missing"
CODES = (
    OK,
    EMERGENCY,
    NONE_ON_FILE,
    NOT_SIGNED,
    EXPIRED,
    REVOKED,
    RECIPIENT_NOT_NAMED,
    SECTION_EXCLUDED,
    PART2_MISSING,
)
EMERGENCY_LASTS = timedelta(hours=72)  # OWN: how long a clinic may read what it was sent in an emergency


@dataclass(frozen=True, slots=True)
class Answer:
    allowed: bool
    """All that was asked about may leave. When not, `sections` is what could leave if only that were asked."""
    code: str
    release: Release | None
    sections: list[str]
    withheld: list[str]
    words: str
    """A sentence for staff; never for the clinic."""


def may_disclose(
    client: Client, destination: Destination, sections: Sequence[str], purpose: str, at: datetime
) -> Answer:
    """Return whether these sections may go to this recipient now, by which release, and if not why not.

    `purpose` is what the recipient gets them for, in words; nothing leaves without one. Raises ValueError for none.
    """
    if not purpose.strip():
        raise ValueError("Say what the disclosure is for.")
    practice = Practice.get()
    on_file = list(Release.objects.filter(client=client).select_related("destination"))
    return judge(on_file, destination, sections, coverage.local(at, practice).date(), practice.is_part2)


def judge(
    on_file: Iterable[Release], destination: Destination, sections: Sequence[str], today: date, is_part2: bool
) -> Answer:
    """The decision itself: one release has to cover everything, the one that covers most is the one named."""
    wanted = list(dict.fromkeys(sections))
    newest_first = sorted(on_file, key=lambda release: release.asked_at, reverse=True)
    named = [release for release in newest_first if release.destination_id == destination.pk]
    good = [release for release in named if release.is_good(today)]
    if not good:
        return _no(newest_first, named, destination, wanted, today)
    best = max(good, key=lambda release: len(_covered(release, wanted, is_part2)))  # of equals, the newest
    covered = _covered(best, wanted, is_part2)
    withheld = [section for section in wanted if section not in covered]
    if not withheld:
        words = gettext("{clinic} may get this: the release is good until {day}.").format(
            clinic=destination, day=full_day(best.expires_on)
        )
        return Answer(True, OK, best, covered, [], words)
    if any(section in best.sections for section in withheld):
        words = gettext(
            "Alcohol and drug information leaves a Part 2 programme only with the consent of 42 CFR 2.31. "
            "The release for {clinic} does not have it."
        )
        return Answer(False, PART2_MISSING, best, covered, withheld, words.format(clinic=destination))
    words = gettext("The release for {clinic} does not name: {sections}.").format(
        clinic=destination, sections=section_words(withheld)
    )
    return Answer(False, SECTION_EXCLUDED, best, covered, withheld, words)


def _covered(release: Release, wanted: Sequence[str], is_part2: bool) -> list[str]:
    """What of it this release lets out."""
    return [
        section
        for section in wanted
        if section in release.sections and not (section == Section.SUBSTANCES and is_part2 and not release.part2)
    ]


def _no(
    on_file: Sequence[Release],
    named: Sequence[Release],
    destination: Destination,
    wanted: list[str],
    today: date,
) -> Answer:
    """Why nothing may go to this recipient: by the newest release that names it, else by what there is instead."""
    newest, words = (named[0] if named else None), ""
    if newest is not None:
        code = newest.stands(today)
        words = {
            REVOKED: gettext("The client took the release for {clinic} back."),
            EXPIRED: gettext("The release for {clinic} ended on {day}."),
            NOT_SIGNED: gettext("The release for {clinic} is not signed yet."),
        }[code].format(clinic=destination, day=full_day(newest.expires_on))
    elif other := next((release for release in on_file if release.is_good(today)), None):
        code = RECIPIENT_NOT_NAMED
        words = gettext("No release names {clinic}. One names {other}.").format(
            clinic=destination, other=other.destination
        )
    else:
        code = NONE_ON_FILE
        words = gettext("There is no release for {clinic} on file.").format(clinic=destination)
    return Answer(False, code, newest, [], wanted, words)


def section_words(sections: Iterable[str]) -> str:
    """The sections by name, in the order of the packet."""
    chosen = set(sections)
    return "; ".join(str(section.label) for section in Section if section in chosen)


def may_read(packet: Packet, at: datetime) -> Answer:
    """Return whether the clinic that this packet was sent to may read it now. Asked at every view, never kept.

    What was sent in an emergency without a release can be read for EMERGENCY_LASTS, or until the client takes a release
    for that clinic back. That staff asked for another one instead is no word of the client.
    """
    referral = packet.referral
    destination = referral.destination
    rows = [row for row in packet.disclosures.order_by("at") if row.destination_id == referral.destination_id]
    if destination is None or not rows:
        return Answer(False, NONE_ON_FILE, None, [], [], gettext("This was not sent to anybody yet."))
    sent = [section for section in Section if any(section in row.sections for row in rows)]
    answer = may_disclose(referral.client, destination, sent, rows[-1].purpose, at)
    last = max((row for row in rows if row.is_emergency), key=lambda row: row.at, default=None)
    if answer.allowed or last is None or at > last.at + EMERGENCY_LASTS:
        return answer
    gone = Release.objects.filter(client=referral.client, destination=destination, revoked_at__gt=last.at)
    if any(row.signed_at is not None or row.revoked_by_id is None or row.revoked_words for row in gone):
        return answer
    words = gettext("Sent in an emergency, without a release.")
    return Answer(True, EMERGENCY, None, list(last.sections), [], words)


@transaction.atomic
def disclose(
    *,
    by: User,
    client: Client,
    destination: Destination,
    referral: Referral | None,
    packet: Packet | None,
    sections: Sequence[str],
    purpose: str,
    channel: str,
    at: datetime,
    answer: Answer | None = None,
    emergency_reason: str = "",
) -> Disclosure:
    """Write down that something leaves: by the release of `answer`, or in an emergency by a person's written reason.

    Asks again with the release locked, so that what was taken back while the page was open does not leave. Raises
    NotNow with the sentence why nothing may leave.
    """
    if answer is None and not emergency_reason.strip():
        raise NotNow(gettext("Write why this cannot wait for a release."))
    release = None
    if answer is not None:
        if answer.release is not None:
            Release.objects.select_for_update(no_key=True).filter(pk=answer.release.pk).first()
        now = may_disclose(client, destination, sections, purpose, at)
        if not now.allowed:
            raise NotNow(now.words)
        release = now.release
    chosen = set(sections)
    row = Disclosure(
        client=client,
        destination=destination,
        recipient=destination.name,
        referral=referral,
        packet=packet,
        release=release,
        sections=[str(section) for section in Section if section in chosen],
        part2=Practice.get().is_part2 and Section.SUBSTANCES in chosen,
        channel=channel,
        is_emergency=release is None,
        at=at,
        by=by,
    )
    row.purpose, row.reason = purpose, emergency_reason.strip() if release is None else ""
    row.save(force_insert=True)
    action = "disclosure.emergency" if row.is_emergency else "disclosure.made"
    audit.record(action, by=by, client=client, target=row, at=at, channel=channel, sections=len(row.sections))
    return row


# --- People whom a client trusts --------------------------------------------------------------------------------------


def may_show(person: TrustedPerson, part: str, at: datetime) -> bool:
    """Whether a person whom the client trusts may see this part now. Asked at every view, never kept."""
    practice = Practice.get()
    is_open = trusted.state_of(person, at, practice) == trusted.OPEN
    return is_open and part in person.may and part in trusted.offered(practice, person.kind)


@transaction.atomic
def note_look(*, person: TrustedPerson, part: str, at: datetime) -> None:
    """Write down that they look at this part; the first time it is a disclosure (45 CFR 164.510(b), 164.502(g))."""
    TrustedPerson.objects.held(person.pk)
    Look.objects.create(person=person, part=part, at=at)
    audit.record("read.shared", by=person, client=person.client_id, target=person, at=at, part=part)
    if any(part in row.sections for row in Disclosure.objects.filter(person=person)):
        return
    kind = said_in(HOUSE, str, TrustedPerson.Kind(person.kind).label)  # their name is in no column that is in clear
    row = Disclosure(
        client=person.client, person=person, recipient=kind, sections=[part], channel=Disclosure.Channel.PAGE, at=at,
        by=person.given_by,
    )  # fmt: skip
    row.purpose = "Taking part in the client's care"
    row.save(force_insert=True)


# --- The notice that goes with what a Part 2 programme discloses -----------------------------------------------------


def needs_notice(sections: Iterable[str], practice: Practice) -> bool:
    """Whether the redisclosure notice has to stand on page 1 of a packet with these sections."""
    return practice.is_part2 and Section.SUBSTANCES in set(sections)


@cache
def redisclosure_notice() -> str:
    """The statement of 42 CFR 2.32(a)(1), word for word: data in referrals/redisclosure.toml, with its source."""
    data = tomllib.loads((Path(__file__).parent / "redisclosure.toml").read_text(encoding="utf-8"))
    return str(data["notice"]).strip()
