"""The rows behind a number of a counted report, as they are listed and as they stand in a file."""

from collections.abc import Sequence
from typing import Any

from django.utils.dateformat import format as format_date
from django.utils.translation import gettext

from practice.models import Client, Site, User
from practice.sheets import Cell
from practice.templatetags.ui import full_day
from referrals.reports.counted import Row
from referrals.reports.days import Days


def shown(rows: Sequence[Row], days: Days, *, sees: bool, names: bool = True) -> list[dict[str, Any]]:
    """The rows as they are shown: three queries. Whose they are and what happened only to who `sees` it."""
    sites: dict[int, str] = dict(Site.objects.values_list("pk", "name"))
    people: dict[Any, str] = dict(User.objects.values_list("pk", "name")) if sees else {}
    clients = Client.objects.in_bulk({row.client for row in rows if row.client}) if sees and names else {}
    found = []
    for row in rows:
        on = days.day_of(row.at)
        client = clients.get(row.client) if row.client else None
        found.append(
            {
                "name": client.name if client else gettext("Nobody: a test of the chain") if not row.client else "",
                "code": client.code if client else "",
                "url": row.url if sees else "",
                "on": full_day(on) if sees else format_date(on, "F Y"),
                "csv_on": on if sees else f"{on:%Y-%m}",
                "site": sites.get(row.site, "") if row.site else "",
                "therapist": people.get(row.therapist, ""),
                "told": row.told if sees else "",
            }
        )
    return found


def head(sees: bool) -> list[str]:
    return [gettext("Day") if sees else gettext("Month"), gettext("Site"), gettext("Therapist"), gettext("What")]


def lines(rows: Sequence[Row], days: Days, *, sees: bool) -> list[list[Cell]]:
    """The rows as lines of a file: no names."""
    found = shown(rows, days, sees=sees, names=False)
    return [[row["csv_on"], row["site"], row["therapist"], row["told"]] for row in found]
