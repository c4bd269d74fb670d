"""Who the client is, how to reach them safely, and why they are referred now."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from practice.templatetags.ui import full_day
from practice.views.chart import language_words, reach_words
from referrals.models import Section
from referrals.sections.record import Block, Record, block, known, row


def client_block(record: Record) -> Block:
    client, ride = record.client, record.words("ride")
    legal = client.legal_name if client.legal_name != client.name else ""
    name = f"{client.name} ({client.pronouns})" if client.pronouns else client.name
    born = full_day(client.born) if client.born else ""
    rows = [
        row(_("Name"), gettext("{name}, legal name {legal}").format(name=name, legal=legal) if legal else name),
        row(_("Born"), f"{born} ({client.age(record.today)})" if born else ""),
        row(_("Reach by"), reach_words(client)),
        row(_("Language"), languages(record)),
        row(_("Payment"), client.payment),
        row(_("Ride home"), ride, Section.SUPPORT),
    ]
    person = client.contact("support") or client.contact("emergency")
    if person and person.get("name"):
        rows.append(row(_("Trusted person"), trusted(record, person), Section.SUPPORT))
    return block(Section.IDENTITY, "client", _("Client"), pairs=True, rows=rows)


def languages(record: Record) -> str:
    told = record.said("language") or {}
    words = str(told.get("language") or language_words(record.client))
    return (
        gettext("{language}, needs an interpreter").format(language=words)
        if told.get("interpreter") == "yes"
        else words
    )


def trusted(record: Record, person: Mapping[str, Any]) -> str:
    """The person the client trusts, with their number and when the client lets us speak with them."""
    fields = {field.key: field for field in record.form.by_slug["support-person"].fields}
    relation = fields["relation"].choice(person.get("relation"))
    words = str(person["name"])
    if person.get("relation"):
        words += f" ({(relation.label if relation else str(person['relation'])).lower()})"
    may, phone = person.get("may_talk"), str(person.get("phone") or "")
    if may == "emergency":
        return gettext("{person}, only in an emergency: {phone}").format(person=words, phone=known(phone))
    return f"{words}, {known(phone)}" if may == "yes" else gettext("{person}, do not call").format(person=words)


# --- Why now ---------------------------------------------------------------------------------------------------------


def why_block(record: Record) -> Block:
    diagnoses = [f"{each.get('code', '')} {each.get('text', '')}".strip() for each in record.client.diagnoses or []]
    return block(
        Section.WHY,
        "why",
        _("Why now"),
        lines=[known(record.referral.why_now)],
        rows=[row(_("Diagnoses"), "; ".join(filter(None, diagnoses)))],
    )
