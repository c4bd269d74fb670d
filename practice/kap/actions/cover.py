"""Who is away, as the practice's promises need to know it."""

from datetime import date

from practice.kap.models import Absence
from practice.models import User


def away_until(person: User, day: date) -> date | None:
    """The last day of the absence in which this day lies. One query."""
    now = Absence.objects.filter(user=person, first_on__lte=day, last_on__gte=day)
    return now.order_by("-last_on").values_list("last_on", flat=True).first()
