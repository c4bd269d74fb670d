"""What stands in the way of making one record of two, where the client is shown scores or others see a part of it."""

from collections.abc import Iterator
from datetime import datetime

from django.utils.translation import gettext

from intake import trusted
from intake.models import Assessment, SharedScores
from practice.models import Client, Practice


def obstacles(kept: Client, former: Client, at: datetime) -> Iterator[str]:
    """Nobody is shown a score that no clinician chose to show: what the other record has would join what is shared."""
    practice = Practice.get()
    for one, other in ((kept, former), (former, kept)):
        if any(trusted.state_of(row, at, practice) in (trusted.OPEN, trusted.HELD) for row in trusted.people_of(one)):
            said = gettext("Somebody has a page about {code}, and would see the other record, too. End that first.")
            yield said.format(code=one.code)
        for shared in SharedScores.objects.filter(client=one, ended_at=None):
            days = (shared.first_on, shared.last_on)
            theirs = Assessment.objects.filter(client=other, instrument=shared.instrument, taken_on__range=days)
            if theirs.exists():
                said = gettext(
                    "{code} is shown a measure that {other} has answers of, too. Their therapist ends that first."
                )
                yield said.format(code=one.code, other=other.code)
