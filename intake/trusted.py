"""People whom a client trusts, or who are their guardians, with a page of their own (K7): given, held back, ended.

`state_of` is asked at every request, so that what was taken back, ran out, or ended with a birthday or with the care
ends at once. What may be seen of it is the gate's to say: referrals.disclosure.may_show.
"""

from collections.abc import Sequence
from datetime import date, datetime

from dateutil.relativedelta import relativedelta
from django.db import transaction
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext

from intake.models import Arrival, Invitation, Part, Signature, TrustedPerson
from intake.models.packets import LINK_LIFE, PERSON, digest
from intake.models.trusted import BY_THE_CLIENT, FOR_GUARDIANS, NOT_IN_PART2
from practice import audit, coverage, notices
from practice.actions import NotNow
from practice.models import Client, Notice, Practice, User
from practice.templatetags.ui import full_day

Kind, Document = TrustedPerson.Kind, TrustedPerson.Document
LASTS = relativedelta(months=6)  # OWN: what the form proposes
LONGEST = relativedelta(years=2)  # OWN: as a release
MOST = 6  # OWN: people of one client at a time
NO_ACCESS = "access_ended"  # in the delivery log
OPEN, ENDED, HELD, EXPIRED, OF_AGE, CARE_ENDED = "open", "ended", "held", "expired", "of_age", "care_ended"


def state_of(person: TrustedPerson, at: datetime, practice: Practice) -> str:
    """Where this access stands now: OPEN, or why it does not hold."""
    today = coverage.local(at, practice).date()
    if person.ended_at is not None:
        return ENDED
    if person.client.status in Client.LEFT:
        return CARE_ENDED
    if person.document in TrustedPerson.FOR_MINORS and is_of_age(person.client, today, practice):
        return OF_AGE
    if today > person.until:
        return EXPIRED
    return HELD if person.held_at is not None else OPEN


def is_of_age(client: Client | Arrival, today: date, practice: Practice) -> bool:
    """Whether the client is an adult here. An unknown birth date counts as one: nobody is a guardian by a blank.

    Source: MAJORITY in docs/clinical-sources.md.
    """
    age = client.age(today)
    return age is None or age >= practice.majority_age


def offered(practice: Practice, kind: str) -> list[Part]:
    """What a person of this kind may be given in this practice."""
    out = NOT_IN_PART2 if practice.is_part2 else ()
    return [part for part in Part if part not in out and (kind == Kind.GUARDIAN or part not in FOR_GUARDIANS)]


def may_act(person: TrustedPerson, at: datetime, practice: Practice) -> bool:
    """Whether this guardian may answer and sign for the client now."""
    return (
        state_of(person, at, practice) == OPEN and Part.ACT in person.may and Part.ACT in offered(practice, person.kind)
    )


def signs_as(person: TrustedPerson) -> str:
    """As what a guardian signs for the client, by their document."""
    return Signature.Relation.PROXY if person.document == Document.PROXY else Signature.Relation.GUARDIAN


def people_of(client: Client) -> list[TrustedPerson]:
    found = TrustedPerson.objects.filter(client=client).select_related("client", "given_by", "held_by", "invitation")
    return list(found.order_by("-given_at"))


# --- Giving ----------------------------------------------------------------------------------------------------------


@transaction.atomic
def give(
    *,
    by: Client,
    name: str,
    relation: str,
    phone: str,
    email: str,
    may: Sequence[str],
    until: date,
    signed_name: str,
    at: datetime,
) -> TrustedPerson:
    """The client gives a person a page of their own. Raises NotNow with what is missing."""
    client, practice = _locked(by), Practice.get()
    if not signed_name.strip():
        raise NotNow(gettext("Type your full name to sign."))
    row = _new(client, practice, name=name, relation=relation, phone=phone, email=email, until=until, at=at)
    row.kind, row.may, row.signed_name = Kind.SUPPORT, _chosen(may, practice, Kind.SUPPORT), signed_name.strip()
    return _keep(row, by, at)


@transaction.atomic
def give_guardian(
    *,
    by: User,
    client: Client,
    name: str,
    relation: str,
    phone: str,
    email: str,
    may: Sequence[str],
    document: str,
    document_reference: str,
    document_on: date,
    until: date,
    at: datetime,
) -> TrustedPerson:
    """Staff give a guardian a page, by their document. What only the client may tick is not theirs to give."""
    client, practice = _locked(client), Practice.get()
    today = coverage.local(at, practice).date()
    if document not in Document.values or not document_reference.strip():
        raise NotNow(gettext("Write which document says so, and where it is kept."))
    if document_on > today:
        raise NotNow(gettext("The day of the document cannot lie ahead."))
    if document in TrustedPerson.FOR_MINORS and client.born is None:
        raise NotNow(gettext("Add the client's birth date first: a minor's guardian has access until they are of age."))
    if document in TrustedPerson.FOR_MINORS and is_of_age(client, today, practice):
        raise NotNow(gettext("The client is of age. A document for a minor gives no access any more."))
    if set(may) & set(BY_THE_CLIENT):
        raise NotNow(gettext("Past answers and numbers are for the client alone to give, on their own page."))
    row = _new(client, practice, name=name, relation=relation, phone=phone, email=email, until=until, at=at)
    row.kind, row.may, row.given_by = Kind.GUARDIAN, _chosen(may, practice, Kind.GUARDIAN), by
    row.document, row.document_on, row.document_reference = document, document_on, document_reference.strip()
    return _keep(row, by, at)


def _locked(client: Client) -> Client:
    row: Client = Client.objects.hold(client.pk)
    if row.status in Client.LEFT:
        raise NotNow(gettext("This client was discharged. Take them back into care first."))
    return row


def _chosen(may: Sequence[str], practice: Practice, kind: str) -> list[str]:
    chosen = [str(part) for part in offered(practice, kind) if part in may]
    if not chosen:
        raise NotNow(gettext("Tick at least one thing that they may see."))
    return chosen


def _new(
    client: Client, practice: Practice, *, name: str, relation: str, phone: str, email: str, until: date, at: datetime
) -> TrustedPerson:
    today = coverage.local(at, practice).date()
    if not name.strip():
        raise NotNow(gettext("Write their name."))
    if not (phone.strip() or email.strip()):
        raise NotNow(gettext("Give a phone or an e-mail that only they read: the link and the code go there."))
    if _same(phone, client.phone) or (email.strip() and email.strip().lower() == client.email.lower()):
        raise NotNow(gettext("This phone or e-mail is in this record already. Give one that only they read."))
    if not today <= until <= today + LONGEST:
        raise NotNow(gettext("Choose a last day between today and {day}.").format(day=full_day(today + LONGEST)))
    standing = [row for row in people_of(client) if state_of(row, at, practice) in (OPEN, HELD)]
    ways = (name.strip(), phone.strip(), email.strip())
    if ways in [(row.name, row.phone, row.email) for row in standing]:
        raise NotNow(gettext("{name} has a page already. Change that one instead.").format(name=name.strip()))
    if len(standing) >= MOST:
        raise NotNow(gettext("That is as many people as can have a page at a time. End one of them first."))
    row = TrustedPerson(client=client, until=until, given_at=at)
    row.name, row.relation, row.phone, row.email = name.strip(), relation.strip(), phone.strip(), email.strip()
    return row


def _same(one: str, other: str) -> bool:
    digits = ["".join(letter for letter in each if letter.isdigit())[-10:] for each in (one, other)]
    return bool(digits[0]) and digits[0] == digits[1]


def _keep(row: TrustedPerson, by: User | Client, at: datetime) -> TrustedPerson:
    link = Invitation(
        client=row.client, packet=PERSON, packet_version="1", created_at=at, expires_at=at + LINK_LIFE,
        created_by=row.given_by,
    )  # fmt: skip
    link.token_digest = digest(link.token)
    link.save(force_insert=True)
    row.invitation = link
    row.save(force_insert=True)
    audit.record("trusted.given", by=by, client=row.client, target=row, at=at, kind=row.kind, may=row.may)
    send_link(by=by, person=row, at=at)
    return row


# --- Changing, holding back, ending ----------------------------------------------------------------------------------


@transaction.atomic
def change(*, by: Client, person: TrustedPerson, may: Sequence[str], at: datetime) -> None:
    """The client changes what they may see. Of a guardian's only what is the client's alone to give."""
    practice = Practice.get()
    row = _standing(person, at, practice)
    wanted = list(may)
    if row.kind == Kind.GUARDIAN:
        wanted = [part for part in row.may if part not in BY_THE_CLIENT] + [
            part for part in may if part in BY_THE_CLIENT
        ]
    _change(row, _chosen(wanted, practice, row.kind), by, at)


@transaction.atomic
def entrust(*, by: User, person: TrustedPerson, may: bool, at: datetime) -> None:
    """Staff let a guardian answer and sign for the client, or no longer; the next request obeys it."""
    practice = Practice.get()
    row = _standing(person, at, practice)
    if row.kind != Kind.GUARDIAN:
        raise NotNow(gettext("Only a guardian answers and signs for a client."))
    others = [part for part in row.may if part != Part.ACT]
    _change(row, _chosen([*others, Part.ACT] if may else others, practice, row.kind), by, at)


def _change(row: TrustedPerson, chosen: list[str], by: User | Client, at: datetime) -> None:
    if chosen != row.may:
        TrustedPerson.objects.filter(pk=row.pk).update(may=chosen)
        audit.record("trusted.changed", by=by, client=row.client, target=row, at=at, may=chosen)


@transaction.atomic
def end(*, by: User | Client, person: TrustedPerson, at: datetime) -> bool:
    """Take the page back at once; the next request of any browser that has it open is refused. False when it was."""
    staff = by if isinstance(by, User) else None
    if not TrustedPerson.objects.filter(pk=person.pk, ended_at=None).update(ended_at=at, ended_by=staff):
        return False
    audit.record("trusted.ended", by=by, client=person.client_id, target=person, at=at)
    therapist = person.client.therapist
    if person.kind == Kind.GUARDIAN and staff is None and therapist is not None and therapist.is_active:
        path = reverse("client_people", args=[person.client_id])
        notices.tell_staff(therapist, "release", link=notices.link(path))
    return True


@transaction.atomic
def hold(*, by: User, person: TrustedPerson, words: str, at: datetime) -> None:
    """Staff hold it back, with a reason that stays with them."""
    row = _standing(person, at, Practice.get())
    if not words.strip():
        raise NotNow(gettext("Write why it is held back."))
    if row.held_at is not None:
        raise NotNow(gettext("It is held back already."))
    row.held_at, row.held_by, row.held_words = at, by, words.strip()
    row.save(update_fields=["held_at", "held_by", "held_words"])
    audit.record("trusted.held", by=by, client=row.client, target=row, at=at)


@transaction.atomic
def let_go(*, by: User, person: TrustedPerson, at: datetime) -> None:
    """Staff give back what was held."""
    row = _standing(person, at, Practice.get())
    if row.held_at is None:
        raise NotNow(gettext("It is not held back any more."))
    row.held_at, row.held_by, row.held_words = None, None, ""
    row.save(update_fields=["held_at", "held_by", "held_words"])
    audit.record("trusted.let_go", by=by, client=row.client, target=row, at=at)


def _standing(person: TrustedPerson, at: datetime, practice: Practice) -> TrustedPerson:
    rows = TrustedPerson.objects.select_for_update(of=("self",), no_key=True).select_related("client")
    row: TrustedPerson = rows.get(pk=person.pk)
    if state_of(row, at, practice) not in (OPEN, HELD):
        raise NotNow(gettext("This access has ended."))
    return row


@transaction.atomic
def send_link(*, by: User | Client | TrustedPerson, person: TrustedPerson, at: datetime) -> list[str]:
    """Send them the link to their page, good for its full life from now. Older links stop working once it is made new.

    Returns the channels used.
    """
    if state_of(person, at, Practice.get()) != OPEN:
        raise NotNow(gettext("This access does not hold now. No link was sent."))
    link = Invitation.objects.held(person.invitation_id)
    if link.sent_at is not None:
        _renew(link, at)
    link.sent_at = at
    link.save(update_fields=[*RENEWED, "sent_at"])
    used = tell(person, "person_link", link=notices.link(link.path))
    audit.record("trusted.linked", by=by, client=person.client_id, target=person, at=at, channels=used)
    return used


def link_for(person: TrustedPerson, at: datetime) -> str:
    """The address of their page for a message, good for its full life from now; made new when it had run out."""
    link = person.invitation
    if link.is_live(at):
        link.expires_at = at + LINK_LIFE
    else:
        _renew(link, at)
    link.save(update_fields=RENEWED)
    return notices.link(link.path)


RENEWED = ["generation", "token_digest", "expires_at", "state", "opened_at"]


def _renew(link: Invitation, at: datetime) -> None:
    """Make it good again, also after the end of a care that has begun anew: all links were taken back then."""
    link.renew(at)
    link.state, link.opened_at = Invitation.State.SENT, None


def tell(person: TrustedPerson, template: str, *, channels: Sequence[str] | None = None, **words: str) -> list[str]:
    """Queue a message to their own phone and mailbox. It says nothing of whom it is about."""
    used = [each for each in channels or notices.TEMPLATES[template] if each in person.addresses]
    about: dict[str, str] = {**words, "person": str(person.pk)}  # which access it is for: `ended` asks before it goes
    for channel in used:
        notices.tell_clinic(person.addresses[channel], template, client=person.client, channel=str(channel), **about)
    return [str(channel) for channel in used]


def ended(notice: Notice) -> str:
    """Whether the access that this message is for holds no more, or no longer what it tells of (notices.ENDED)."""
    if notice.template not in notices.TO_PEOPLE or not (pk := (notice.words or {}).get("person")):
        return ""
    person = TrustedPerson.objects.select_related("client").filter(pk=pk).first()
    practice = Practice.get()
    if person is None or state_of(person, timezone.now(), practice) != OPEN:
        return NO_ACCESS
    tells = Part.RIDES if notice.template == "person_ride" else None
    return NO_ACCESS if tells and (tells not in person.may or tells not in offered(practice, person.kind)) else ""
