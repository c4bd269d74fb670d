"""What a client writes for themselves around a session. It is theirs alone until they share it."""

from datetime import datetime

from django.db import transaction

from practice import audit
from practice.kap.models import Intention, Session
from practice.models import Client

LONGEST = 4000


def shared(session: Session) -> list[Intention]:
    """What the client chose to show of this session, before it and after it: all that staff may see. One query."""
    found = session.intentions.filter(shared_at__isnull=False).order_by("-when")
    return [row for row in found if row.words]


def own(client: Client, session: Session) -> dict[str, Intention]:
    """What the client wrote about this session, shared or not, by when: for the client alone."""
    return {row.when: row for row in Intention.objects.filter(client=client, session=session)}


@transaction.atomic
def keep(*, by: Client, session: Session, when: str, words: str, at: datetime) -> Intention:
    """Keep the client's words as they stand now. Whether they are shared stays as it was."""
    Client.objects.hold(by.pk)
    row, _new = Intention.objects.select_for_update(no_key=True).get_or_create(
        client=by, session=session, when=when, defaults={"saved_at": at}
    )
    row.words, row.saved_at = words, at
    row.save()
    audit.record("intention.saved", by=by, client=by, target=row, at=at, when=when)
    return row


@transaction.atomic
def share(*, by: Client, session: Session, when: str, wanted: bool, at: datetime) -> None:
    """Show these words to the people who run the session, or stop showing them."""
    row = Intention.objects.select_for_update(no_key=True).filter(client=by, session=session, when=when).first()
    if row is None or (row.shared_at is not None) == wanted:
        return
    row.shared_at = at if wanted else None
    row.save(update_fields=["shared_at"])
    audit.record("intention.shared" if wanted else "intention.unshared", by=by, client=by, target=row, at=at)
