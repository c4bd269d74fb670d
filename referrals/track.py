"""How a clinic has dealt with what was sent there: from this practice's own referrals, not from its words."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from statistics import median
from typing import Any
from uuid import UUID

from django.db.models import Exists, F, Min, OuterRef, Q

from referrals.models import Letter, Referral, StatusChange
from referrals.states import Event

WINDOW = timedelta(days=365)  # what is older tells little of how a clinic works now
FEWEST = 3  # a number made of fewer is about the clients in it, and is not shown


@dataclass(frozen=True)
class Track:
    """Medians in days, and letters that came back of those that were due. None: fewer than FEWEST to go by."""

    sent: int = 0
    to_open: float | None = None
    to_accept: float | None = None
    to_first: float | None = None
    letters: int | None = None
    letters_of: int | None = None


@dataclass
class _Spans:
    sent: int = 0
    opened: list[float] = field(default_factory=list)
    accepted: list[float] = field(default_factory=list)
    first: list[float] = field(default_factory=list)
    letters: int = 0


def of(destinations: Iterable[UUID], at: datetime) -> dict[UUID, Track]:
    """Return the track of each of these clinics over the last year. One query, whatever their number."""
    keys = list(destinations)
    found = {key: _Spans() for key in keys}
    for row in _rows(keys, at):
        spans = found[row["destination"]]
        spans.sent += 1
        for name, when in (("opened", row["read_at"]), ("accepted", row["yes_at"]), ("first", row["first_at"])):
            if when is not None:
                getattr(spans, name).append(max(when - row["sent_at"], timedelta()) / timedelta(days=1))
        spans.letters += bool(row["first_at"] and row["letter"])
    return {key: _track(spans) for key, spans in found.items()}


def _rows(destinations: Sequence[UUID], at: datetime) -> Iterator[dict[str, Any]]:
    # Not corrected_by=None: SQLite joins that by reading every change for every change, when few were corrected.
    standing = ~Q(changes__in=StatusChange.objects.exclude(corrects=None).order_by().values("corrects"))
    rows = Referral.objects.filter(destination__in=destinations, sent_at__gt=at - WINDOW, sent_at__lte=at)
    yield from (
        rows.order_by()
        .values("pk", "destination", "sent_at", read_at=F("opened_at"))
        .annotate(
            yes_at=Min("changes__happened_at", filter=standing & Q(changes__event=Event.ACCEPT)),
            first_at=Min("changes__happened_at", filter=standing & Q(changes__event=Event.VISIT)),
            letter=Exists(Letter.objects.filter(referral=OuterRef("pk"), is_outcome=True)),
        )
    )


def _track(spans: _Spans) -> Track:
    enough = len(spans.first) >= FEWEST  # a letter is due from whoever was treated
    return Track(
        sent=spans.sent,
        to_open=_median(spans.opened),
        to_accept=_median(spans.accepted),
        to_first=_median(spans.first),
        letters=spans.letters if enough else None,
        letters_of=len(spans.first) if enough else None,
    )


def _median(days: list[float]) -> float | None:
    return round(median(days), 2) if len(days) >= FEWEST else None
