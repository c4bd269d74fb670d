"""Writes over several models for a release: asking for it, signing, taking it back, telling before it ends."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta

from dateutil.relativedelta import relativedelta
from django.db import transaction
from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext

from intake.actions import home_link
from practice import audit, coverage, notices
from practice.actions import NotNow
from practice.models import Client, Notice, Practice, Task, User
from practice.templatetags.ui import full_day
from referrals import release_text
from referrals.disclosure import may_read
from referrals.models import Destination, Referral, Release, Section, Sending
from referrals.states import TERMINAL

LASTS = relativedelta(months=6)  # OWN: what the form proposes
LONGEST = relativedelta(years=2)  # OWN
WARN_BEFORE = timedelta(days=14)  # OWN
TAKEN_BACK, DECLINED, ENDS = "taken_back", "declined", "ends"


@transaction.atomic
def ask(
    *,
    by: User,
    client: Client,
    destination: Destination,
    sections: Sequence[str],
    purpose: str,
    expires_on: date,
    part2: bool,
    at: datetime,
) -> Release:
    """Write a release for the client to sign. One that still waits for the same clinic gives way to it."""
    practice = Practice.get()
    today = coverage.local(at, practice).date()
    chosen = [str(section) for section in Section if section in set(sections)]
    if client.status in Client.LEFT:
        raise NotNow(gettext("This client was discharged. Take them back into care first."))
    if not destination.is_active:
        raise NotNow(gettext("This clinic is not in use any more. Choose another one."))
    if not chosen:
        raise NotNow(gettext("Tick at least one part of the record."))
    if not purpose.strip():
        raise NotNow(gettext("Write what they get it for."))
    if not today <= expires_on <= today + LONGEST:
        raise NotNow(
            gettext("Choose a last day between today and {day}.").format(day=full_day(today + LONGEST)),
        )
    Client.objects.hold(client.pk)
    waiting = Release.objects.filter(client=client, destination=destination, signed_at=None, revoked_at=None)
    replaced = waiting.update(revoked_at=at, revoked_by=by)
    row = Release(
        client=client,
        destination=destination,
        recipient=destination.name,
        sections=chosen,
        part2=part2 and practice.is_part2 and Section.SUBSTANCES in chosen,
        document=release_text.ROI,
        document_version=release_text.load(release_text.ROI).version,
        expires_on=expires_on,
        asked_at=at,
        asked_by=by,
    )
    row.purpose = purpose.strip()
    row.text_sha256 = release_text.fingerprint(row)
    row.save(force_insert=True)
    audit.record("release.asked", by=by, client=client, target=row, at=at, sections=len(chosen), replaced=replaced)
    return row


@transaction.atomic
def tell(*, by: User, release: Release, at: datetime) -> list[str]:
    """Tell the client that there is something to sign (N8). Returns the channels used; NotNow when none is safe."""
    client = release.client
    if release.signed_at is not None or release.revoked_at is not None:
        raise NotNow(gettext("This release does not wait for a signature."))
    if client.status in Client.LEFT:
        raise NotNow(gettext("This client was discharged. Take them back into care first."))
    if not any(client.may_reach_by(channel) for channel in notices.TEMPLATES["agreement"]):
        raise NotNow(
            gettext("There is no safe way to send this: add an e-mail or a phone that the client marked as safe.")
        )
    used = notices.tell_client(client, "agreement", link=home_link(client, at))
    audit.record("release.sent", by=by, client=client, target=release, at=at, channels=used)
    return used


@transaction.atomic
def sign(
    *,
    by: User | Client,
    release: Release,
    typed_name: str,
    relation: str,
    method: str,
    at: datetime,
    device: str = "",
    signed_on: date | None = None,
) -> bool:
    """Keep the signature. Returns False when it was signed before: the first one stands.

    A member of staff who takes a signature is its witness. `signed_on` is the day on a paper, when that is not today.
    """
    row = Release.objects.select_related("destination").held(release.pk)
    practice = Practice.get()
    today = coverage.local(at, practice).date()
    if row.signed_at is not None and row.revoked_at is None:
        return False
    if not typed_name.strip():
        raise NotNow(gettext("Type the full name to sign."))
    if row.client.status in Client.LEFT:
        raise NotNow(gettext("This client was discharged. Take them back into care first."))
    if today > row.expires_on or (signed_on is not None and signed_on > row.expires_on):
        raise NotNow(gettext("The last day of this permission is over. Nothing was signed."))
    if signed_on is not None and signed_on > today:
        raise NotNow(gettext("The day on the paper cannot lie ahead."))
    if release_text.fingerprint(row) != row.text_sha256:
        raise NotNow(gettext("The words of this permission changed since it was made. Ask for a new one."))
    signed_at = (
        at
        if signed_on in (None, today)
        else coverage.local(at, practice).replace(
            year=signed_on.year, month=signed_on.month, day=signed_on.day, hour=12, minute=0, second=0, microsecond=0
        )
    )
    staff = by if isinstance(by, User) else None
    won = Release.objects.filter(pk=row.pk, signed_at=None, revoked_at=None).update(
        signed_at=signed_at, method=method, relation=relation, witness=staff
    )
    if not won:
        raise NotNow(gettext("This permission was taken back. Nothing was signed."))
    row.refresh_from_db()
    row.typed_name, row.device = typed_name.strip(), device
    row.save(update_fields=["typed_name", "device"])
    audit.record("release.signed", by=by, client=row.client, target=row, at=at, method=method)
    for older in Release.objects.filter(client=row.client, destination=row.destination).exclude(pk=row.pk):
        Task.finish(row.client, "release", at=at, by=staff, subject_id=older.pk)
    if staff is None:
        _tell_therapist(row, by)
    return True


@transaction.atomic
def revoke(*, by: User | Client, release: Release, at: datetime, words: str = "") -> bool:
    """Take a release back, at once. Returns False when it was taken back before.

    From here on the gate refuses every view; what is still on its way to the clinic and may not be read is stopped.
    `words` say how we know, when a member of staff does it for the client.
    """
    staff = by if isinstance(by, User) else None
    if staff is not None and not words.strip():
        raise NotNow(gettext("Write what the client said, and how."))
    row = Release.objects.select_related("client__therapist", "destination").held(release.pk)
    if row.revoked_at is not None:
        return False
    row.revoked_at, row.revoked_by = at, staff
    row.save(update_fields=["revoked_at", "revoked_by"])
    if words.strip():
        row.revoked_words = words.strip()
        row.save(update_fields=["revoked_words"])
    stopped = _stop_mail(row, at)
    audit.record("release.revoked", by=by, client=row.client, target=row, at=at, stopped=stopped)
    reason = TAKEN_BACK if row.signed_at else DECLINED
    Task.finish(row.client, "release", at=at, by=staff, subject_id=row.pk)  # it need not be warned of any more
    Task.open(row.client, "release", at=at, subject_id=row.pk, reason=reason)
    _tell_therapist(row, by)
    return True


def _stop_mail(release: Release, at: datetime) -> int:
    """Stop what waits to go to this clinic and may not be read there any more. Returns how many."""
    waiting = Sending.objects.filter(
        referral__client=release.client_id,
        referral__destination=release.destination_id,
        state=Sending.State.WAITING,
        notice__state=Notice.State.WAITING,
    ).select_related("packet__referral__client", "packet__referral__destination")
    stopped = 0
    for sending in waiting:
        if may_read(sending.packet, at).allowed:
            continue
        Notice.objects.filter(sending=sending.pk, state=Notice.State.WAITING).update(
            state=Notice.State.STOPPED, words=None
        )
        stopped += Sending.objects.filter(pk=sending.pk, state=Sending.State.WAITING).update(
            state=Sending.State.STOPPED, trouble="taken_back", settled_at=at
        )
    return stopped


def _tell_therapist(release: Release, by: User | Client) -> None:
    therapist = release.client.therapist
    if therapist is not None and therapist.is_active and therapist != by:
        notices.tell_staff(therapist, "release", link=notices.link(reverse("release_open", args=[release.pk])))


@transaction.atomic
def put_away(*, by: User, release: Release, at: datetime) -> None:
    """Somebody saw that it ends or was taken back, and nothing more is to be done."""
    Client.objects.hold(release.client_id)
    Task.finish(release.client, "release", at=at, by=by, subject_id=release.pk)
    audit.record("release.seen", by=by, client=release.client, target=release, at=at)


def warn(*, at: datetime) -> int:
    """Tell staff of releases that end within WARN_BEFORE while something may still depend on them. Each once (B9)."""
    today = coverage.local(at, Practice.get()).date()
    ending = Release.objects.filter(
        warned_at=None,
        revoked_at=None,
        signed_at__isnull=False,
        expires_on__gte=today,
        expires_on__lte=today + WARN_BEFORE,
    ).exclude(client__status__in=Client.LEFT)
    told = 0
    for pk in list(ending.values_list("pk", flat=True)):
        with transaction.atomic():
            row = Release.objects.held(pk)
            if row.warned_at is not None or row.revoked_at is not None:
                continue
            Release.objects.filter(pk=pk).update(warned_at=at)
            if _is_over(row) or _is_followed(row):
                continue
            Task.open(row.client, "release", at=at, subject_id=row.pk, due_at=end_of(row), reason=ENDS)
            audit.record("release.ends_soon", by=None, client=row.client, target=row, at=at)
            told += 1
    return told


def end_of(release: Release) -> datetime:
    """The first moment at which it is not good any more, in the practice's zone."""
    day = release.expires_on + timedelta(days=1)
    zone = coverage.local(release.asked_at, Practice.get()).tzinfo
    return datetime(day.year, day.month, day.day, tzinfo=zone)


def _is_over(release: Release) -> bool:
    """Whether the clinic got a referral of this client, and each has come to its end."""
    sent = Referral.objects.filter(client=release.client_id, destination=release.destination_id)
    ended = Q(state__in=TERMINAL) | Q(closed_at__isnull=False)
    return sent.exists() and not sent.exclude(ended).exists()


def _is_followed(release: Release) -> bool:
    """Whether a later release for the same clinic covers all of it."""
    later = Release.objects.filter(
        client=release.client_id,
        destination=release.destination_id,
        signed_at__isnull=False,
        revoked_at=None,
        expires_on__gt=release.expires_on,
    )
    return any(set(release.sections) <= set(row.sections) and row.part2 >= release.part2 for row in later)
