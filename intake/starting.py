"""What goes out by itself when a client joins a group (feature A7): the practice's own short table, empty at first."""

from datetime import datetime
from uuid import UUID, uuid5

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils.translation import gettext

from intake import fixed, measures, packet
from intake.models import Measure, PacketStart
from practice import audit
from practice.actions import NotNow
from practice.models import Client, Site, User

Group = PacketStart.Group


@transaction.atomic
def joined(client: Client, group: str, *, subject_id: UUID, at: datetime) -> int:
    """Plan what the practice sends to this group, each once for this subject. Returns how many were planned.

    They go out like every planned form: by a safe way, in daytime, and staff are told of one that cannot be sent.
    """
    wanted = PacketStart.objects.filter(Q(site=None) | Q(site=client.site_id), group=group)
    planned = 0
    for packet_key in sorted({start.packet for start in wanted}):
        subject = uuid5(subject_id, f"{group} {packet_key}")
        if not client.measures.filter(why=Measure.Why.JOINED, subject_id=subject).exists():
            measures.plan(client, packet_key, Measure.Why.JOINED, at, subject, at=at)
            planned += 1
    return planned


@transaction.atomic
def add(*, by: User, group: str, key: str, site: Site | None, at: datetime) -> PacketStart:
    if fixed.is_closed(key) or key not in {each.key for each in packet.all_packets()}:
        raise NotNow(gettext("There is no such packet."))
    start = PacketStart(group=group, packet=key, site=site, by=by, at=at)
    try:
        with transaction.atomic():
            start.save(force_insert=True)
    except IntegrityError:
        raise NotNow(gettext("This goes out already.")) from None
    audit.record("packet_start.added", by=by, target=start, at=at, group=group, packet=key)
    return start


@transaction.atomic
def remove(*, by: User, pk: UUID, at: datetime) -> bool:
    """Take a line out of the table; what was planned by it still goes out. False when it was out already."""
    start = PacketStart.objects.select_for_update(of=("self",), no_key=True).filter(pk=pk).first()
    if start is None:
        return False
    audit.record("packet_start.removed", by=by, target=start, at=at, group=start.group, packet=start.packet)
    start.delete()
    return True
