"""On the client's own page: that their therapist is away, until when, who covers, and what waits (L2)."""

from datetime import datetime
from zoneinfo import ZoneInfo

from django.utils.translation import gettext

from intake.doors import Link, called
from intake.home import Line
from practice import coverage
from practice.templatetags.ui import full_day


def line(link: Link, at: datetime) -> Line | None:
    client, practice = link.client, link.practice
    today = at.astimezone(ZoneInfo(practice.zone)).date()
    until = coverage.away_until(client.therapist, today)
    if client.therapist is None or until is None:
        return None
    names = {"name": called(client, practice), "until": full_day(until), "phone": practice.phone}
    said = [gettext("%(name)s is away until %(until)s and reads what you send after that.") % names]
    cover = client.therapist.backup
    if cover is not None and cover.is_active and coverage.away_until(cover, today) is None:
        said.append(gettext("%(cover)s covers.") % {"cover": cover.name})
    if practice.phone:
        said.append(gettext("To speak with somebody sooner, call %(phone)s.") % names)
    return Line(title=gettext("Who is there for you now"), text=" ".join(said))
