"""Clients from a file: what would become of each row, and then the taking in. Nobody is merged, nobody is written to.

Every row has one Fate. A row that fits somebody who is here is left alone until a person says that it is another one.
The same file twice doubles nobody: every row that is taken has something by which it is found again.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import models
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from practice import alike
from practice.access import Role
from practice.csv_in import Row, column_key
from practice.forms import phone_like
from practice.models import Site, User
from practice.sealed import normalise

MOST_ROWS = 5000
OLDEST_BIRTH = date(1900, 1, 1)
NOTHING = {"-", "–", "n/a", "null"}
FORMULA = re.compile(r"[=@+\-]")
TURNS_TEXT = re.compile("[\u200e\u200f\u202a-\u202e\u2066-\u2069]")


@dataclass(frozen=True)
class Field:
    """What a column may hold, and the names that files have for it."""

    label: str | Promise
    names: tuple[str, ...]
    longest: int = 80


FIELDS: dict[str, Field] = {
    "name_used": Field(_("Name used"), ("name used", "preferred name", "name", "full name", "client name", "client")),
    "legal_name": Field(_("Legal name"), ("legal name", "patient name", "patient")),
    "first": Field(_("First name"), ("first name", "first", "given name", "firstname")),
    "last": Field(_("Last name"), ("last name", "last", "surname", "family name", "lastname")),
    "pronouns": Field(_("Pronouns"), ("pronouns",), 40),
    "birth_date": Field(_("Birth date"), ("birth date", "date of birth", "dob", "birthdate", "birthday", "born"), 40),
    "email": Field(_("E-mail"), ("e mail", "email", "email address", "e mail address", "mail"), 160),
    "phone": Field(_("Mobile phone"), ("mobile phone", "mobile", "cell phone", "cell", "phone", "phone number"), 40),
    "address": Field(_("Address"), ("address", "street address", "home address"), 240),
    "other_id": Field(
        _("Their number in your other system"),
        ("client id", "patient id", "id", "chart number", "mrn", "record number", "external id", "number"),
    ),
    "therapist": Field(_("Therapist"), ("therapist", "clinician", "provider", "therapist e mail"), 160),
}
DATES: dict[str, tuple[str | Promise, str]] = {
    "iso": (_("year-month-day, such as 1993-03-08"), "%Y-%m-%d"),
    "mdy": (_("month/day/year, such as 03/08/1993"), "%m/%d/%Y"),
    "dmy": (_("day/month/year, such as 08/03/1993"), "%d/%m/%Y"),
}


class Fate(models.TextChoices):
    NEW = "new", _("New")
    MATCH = "match", _("Like somebody here")
    TWICE = "twice", _("Like a row above")
    HERE = "here", _("Here already")
    INCOMPLETE = "incomplete", _("Incomplete")
    REFUSED = "refused", _("Not taken")


ASKED = (Fate.MATCH, Fate.TWICE)  # where a person may say: somebody else
WHY: dict[str, str | Promise] = {
    "": "",
    "name": _("No name."),
    "way": _("No e-mail, phone, birth date or number: nothing to find them by again."),
    "wide": _("The row has more cells than the first row."),
    "formula": _("A cell begins as a formula does."),
    "odd": _("A cell holds characters that do not show."),
    "long": _("A cell is longer than fits."),
    "email": _("The e-mail is not one."),
    "phone": _("The phone number is not one."),
    "birth": _("The birth date is not a day in the past, or is written another way."),
    "therapist": _("No therapist here has this name or e-mail."),
    "site": _("The therapist works at no site."),
    "email_index": _("The same e-mail."),
    "phone_index": _("The same phone."),
    "person": _("The same name and birth date."),
    "other_id_index": _("The same number."),
    "separate": _("You said: another person."),
}


@dataclass(frozen=True)
class How:
    """What somebody said of a file: which column is what, how dates are written, whose the clients are."""

    columns: Mapping[str, int]
    dates: str
    therapist: User | None
    site: Site | None
    separate: frozenset[int] = frozenset()


@dataclass
class Planned:
    """One row of the file with its fate."""

    number: int
    fate: str
    why: str = ""
    identity: dict[str, Any] = field(default_factory=dict)
    therapist: User | None = None
    site: Site | None = None
    clients: tuple[UUID, ...] = ()  # those it is like
    row: int = 0  # the row above that it is like

    @property
    def name(self) -> str:
        return str(self.identity.get("name_used") or self.identity.get("legal_name") or "")


def guess(header: Sequence[str]) -> dict[str, int]:
    """Which column is what, by its name. A name used goes before parts of a name."""
    places = {column_key(name): n for n, name in enumerate(header)}
    found: dict[str, int] = {}
    for key, known in FIELDS.items():
        place = next((places[name] for name in known.names if name in places), None)
        if place is not None and place not in found.values():
            found[key] = place
    return found


def guess_dates(rows: Sequence[Row], place: int | None) -> str:
    """The first way of writing dates that fits every one in this column; ISO when none is there."""
    said = [row.cells[place] for row in rows if row.cells[place]] if place is not None else []
    return next((way for way in DATES if all(read_day(cell, way) for cell in said)), "mdy") if said else "iso"


def read_day(cell: str, way: str) -> date | None:
    try:
        return datetime.strptime(cell.replace(".", "/") if way != "iso" else cell[:10], DATES[way][1]).date()  # noqa: DTZ007
    except ValueError:
        return None


# --- Each row by itself ----------------------------------------------------------------------------------------------


def plan(rows: Sequence[Row], how: How, today: date) -> list[Planned]:
    """Return every row with its fate, in order. Writes nothing."""
    therapists = _therapists()
    planned = [_alone(row, how, therapists, today) for row in rows]
    _compare(planned, how.separate)
    return planned


def _alone(row: Row, how: How, therapists: Mapping[str, User], today: date) -> Planned:
    said = {key: row.cells[place] for key, place in how.columns.items()}
    said = {key: "" if cell.lower() in NOTHING else cell for key, cell in said.items()}
    if not row.whole:
        return Planned(row.number, Fate.REFUSED, "wide")
    if trouble := next((why for key, cell in said.items() if cell and (why := _trouble(key, cell))), ""):
        return Planned(row.number, Fate.REFUSED, trouble)
    names = {key: said.pop(key, "") for key in ("first", "last")}
    asked = said.pop("therapist", "")
    said["legal_name"] = said.get("legal_name", "") or " ".join(filter(None, names.values()))
    found = Planned(row.number, Fate.NEW, identity={key: cell for key, cell in said.items() if cell})
    found.therapist, found.site = how.therapist, how.site
    if not found.name:
        found.fate, found.why = Fate.INCOMPLETE, "name"
    elif not any(said.get(key) for key in ("email", "phone", "birth_date", "other_id")):
        found.fate, found.why = Fate.INCOMPLETE, "way"
    elif why := _checked(found.identity, how.dates, today):
        found.fate, found.why = Fate.REFUSED, why
    elif asked:
        _whose(found, therapists.get(normalise(asked)), how.site)
    return found


def _trouble(key: str, cell: str) -> str:
    """What is wrong with the text of a cell, as a code of WHY; "" when nothing is."""
    plain = unicodedata.normalize("NFKC", cell).lstrip("\"' ")
    if any(unicodedata.category(char) in ("Cc", "Cs", "Co") for char in cell) or TURNS_TEXT.search(cell):
        return "odd"
    if FORMULA.match(plain) and not (key == "phone" and phone_fits(cell)):
        return "formula"
    return "long" if len(cell) > FIELDS[key].longest else ""


def phone_fits(cell: str) -> bool:
    try:
        phone_like(cell)
    except ValidationError:
        return False
    return True


def _checked(identity: dict[str, Any], dates: str, today: date) -> str:
    """Bring the values into our form; returns the code of what is no such value."""
    if email := identity.get("email"):
        try:
            validate_email(email)
        except ValidationError:
            return "email"
    if identity.get("phone") and not phone_fits(identity["phone"]):
        return "phone"
    if said := identity.get("birth_date"):
        born = read_day(said, dates)
        if born is None or not OLDEST_BIRTH <= born <= today:
            return "birth"
        identity["birth_date"] = born.isoformat()
    return ""


def _therapists() -> dict[str, User]:
    """Therapists by e-mail and by name; a name that two have is nobody's."""
    people = list(User.objects.with_role(Role.THERAPIST).prefetch_related("sites"))
    names = [normalise(user.name) for user in people]
    by_name = {name: user for name, user in zip(names, people, strict=True) if names.count(name) == 1}
    return by_name | {normalise(user.email): user for user in people}


def _whose(found: Planned, therapist: User | None, site: Site | None) -> None:
    """Their own therapist, at the chosen site when that therapist works there."""
    if therapist is None:
        found.fate, found.why = Fate.REFUSED, "therapist"
        return
    sites = list(therapist.sites.all())
    found.therapist = therapist
    found.site = site if site in sites else next(iter(sites), None)
    if found.site is None:
        found.fate, found.why = Fate.REFUSED, "site"


# --- Beside those who are here, and the rows above -------------------------------------------------------------------


def _compare(planned: Sequence[Planned], separate: frozenset[int]) -> None:
    open_ = [one for one in planned if one.fate == Fate.NEW]
    known = alike.known(one.identity for one in open_)
    above: dict[tuple[str, str], int] = {}
    for one in open_:
        keys = list(alike.keys_of(one.identity))
        here = next((key for key in keys if key in known), None)
        there = next((key for key in keys if key in above), None)
        if here and here[0] == "other_id_index":
            one.fate, one.why, one.clients = Fate.HERE, here[0], tuple(known[here])
        elif one.number in separate and (here or there):
            one.why = "separate"
        elif here:
            one.fate, one.why, one.clients = Fate.MATCH, here[0], tuple(known[here])
        elif there:
            one.fate, one.why, one.row = Fate.TWICE, there[0], above[there]
        if one.fate == Fate.NEW:
            for key in keys:
                above.setdefault(key, one.number)
