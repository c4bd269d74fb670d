"""How releases and disclosures read in a list, to staff and to the client."""

from collections.abc import Sequence
from datetime import date
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from intake.models import Part, Signature
from practice.templatetags.ui import full_day
from practice.views.chart import named
from referrals import disclosure
from referrals.actions import releases as actions
from referrals.models import Disclosure, Release, Section
from referrals.packet import SECTION_WORDS

# code of the gate -> how it looks in a list: tone, icon, words
LOOKS: dict[str, tuple[str, str, str | Promise]] = {
    disclosure.OK: ("good", "circle-check", _("Good until {day}")),
    actions.ENDS: ("watch", "clock", _("Ends soon, on {day}")),
    disclosure.NOT_SIGNED: ("watch", "clock", _("Asked for, not signed")),
    disclosure.EXPIRED: ("", "ban", _("Ended on {day}")),
    disclosure.REVOKED: ("refer", "ban", _("Taken back")),
}


def look(release: Release, today: date) -> dict[str, Any]:
    """How one release stands, in words and tone."""
    code = release.stands(today)
    if code == disclosure.OK and release.expires_on - today <= actions.WARN_BEFORE:
        code = actions.ENDS
    tone, icon, words = LOOKS[code]
    said = str(words).format(day=full_day(release.expires_on))
    return {"release": release, "code": code, "chip": {"tone": tone, "icon": icon, "text": said}}


def method_words(release: Release, reader: Any = None) -> str:
    """How it was signed, by whom if not by the client, and before whom."""
    said = [str(Release.Method(release.method).label).lower()] if release.method else []
    if release.relation != Signature.Relation.SELF:
        said.append(str(Signature.Relation(release.relation).label).lower())
    if release.witness is not None:
        said.append(gettext("witness: {who}").format(who=named(release.witness, reader)))
    return ", ".join(said)


def short_labels(sections: Sequence[str]) -> list[str]:
    """The sections as clinicians call them."""
    return [str(words) for section, words in SECTION_WORDS.items() if section in sections] + _parts(sections)


def section_labels(sections: Sequence[str]) -> list[str]:
    """The sections as they are called to the client."""
    return [str(section.label) for section in Section if section in sections] + _parts(sections)


def _parts(sections: Sequence[str]) -> list[str]:
    """What somebody whom the client trusts was shown."""
    return [str(part.label) for part in Part if part in sections]


def disclosure_row(row: Disclosure, reader: Any) -> dict[str, Any]:
    """To whom, when, what, why, how, by whom, and by what right."""
    return {
        "row": row,
        "what": short_labels(row.sections),
        "how": row.get_channel_display(),
        "by": named(row.by, reader) if row.by else gettext("the client"),
        "why": row.purpose,
        "reason": row.reason,
    }
