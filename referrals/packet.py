"""The packet: what a clinic is sent about a client, made from the record, frozen, and told apart by its hash.

    content(referral, at)       everything that the record has for this referral, by section
    limited(content, sections)  the same without what is withheld or not permitted
    outgoing(referral, at)      what would leave now: what the preview shows and `freeze` keeps
    freeze(...)                 the next version, as it is sent; page and PDF show this and nothing else

What is withheld is left out without a word: that something was held back is told only if the client agrees, and nobody
asked them. The packet says only that it is limited to what is printed.
"""

import hashlib
import json
from collections.abc import Collection, Mapping
from datetime import date, datetime
from typing import Any

from django.db import transaction
from django.utils import timezone, translation
from django.utils.safestring import SafeString
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from practice import audit, coverage, jobs
from practice.actions import NotNow
from practice.charts import Point, Treatment, describe, trend
from practice.charts.plot import Size
from practice.clinical.instrument import load
from practice.models import Practice, User
from practice.templatetags.ui import full_day
from referrals import clocks, disclosure
from referrals.models import Packet, Path, Referral, Release, Section
from referrals.sections.blocks import blocks
from referrals.sections.record import Record, block, full_moment, known, row

Content = dict[str, Any]
FORMAT = 1
PAPER = Size("chart-p", width=580, left=28, right=92, height=112, narrow=False)  # 10 pt on a page 6.9 inches wide

TITLES = {
    Path.INFUSION: _("Referral for ketamine infusion assessment"),
    Path.PAIN: _("Referral for hospital or pain infusion assessment"),
    Path.AT_HOME: _("Referral to supervised ketamine treatment at home"),
}
# A section as a clinic calls it; Section.label speaks to the client.
SECTION_WORDS = {
    Section.IDENTITY: _("client"),
    Section.SAFETY: _("safety"),
    Section.WHY: _("reason and diagnoses"),
    Section.SCORES: _("scores"),
    Section.MEDICINES: _("medicines"),
    Section.HEALTH: _("health"),
    Section.SUBSTANCES: _("alcohol and drugs"),
    Section.PAIN: _("pain"),
    Section.SUPPORT: _("support"),
    Section.HISTORY: _("earlier ketamine treatment"),
}
PURPOSE = "Treatment: assessment and care by the clinic this is sent to"


# --- Making ----------------------------------------------------------------------------------------------------------


def content(referral: Referral, at: datetime, *, release: Release | None = None, emergency: bool = False) -> Content:
    """Return all that the record has for this referral: plain JSON, blocks in the order of the printed packet."""
    practice = Practice.get()
    with timezone.override(practice.zone), translation.override("en"):
        record = Record(referral, at, practice)
        found: Content = {"format": FORMAT, **_head(record)}
        signed = release or referral.release
        found["blocks"] = [*blocks(record), _ask_block(referral, practice), _permission_block(signed, emergency)]
        return found


def _head(record: Record) -> Content:
    referral, practice, clinic = record.referral, record.practice, record.referral.destination
    therapist, client = record.client.therapist, record.client
    to = [gettext("not chosen yet")]
    if clinic is not None:
        to = [
            f"{clinic.name}, {clinic.coordinator}" if clinic.coordinator else clinic.name,
            _numbers(clinic.phone, clinic.fax),
        ]
    limit = clocks.clock("accept")
    amount, unit = limit.amount(referral.urgency, practice.referral_limits), limit.unit[referral.urgency]
    answer_by = clocks.deadline(record.at, amount, unit, practice)
    who = known(therapist or "")
    if therapist is not None:
        who = gettext("{name}, license {licence}").format(name=who, licence=known(therapist.licence))
    return {
        "title": str(TITLES.get(Path(referral.path), referral.get_path_display())),
        "reference": referral.reference,
        "urgency": referral.urgency,
        "urgency_words": str(referral.get_urgency_display()),
        "made": full_moment(coverage.local(record.at, practice)),
        "made_on": full_day(record.today),
        "answer_by": full_day(coverage.local(answer_by, practice)),
        "practice": {
            "name": practice.name,
            "address": practice.address,
            "phone": known(practice.phone),
            "numbers": _numbers(practice.phone, practice.fax),
        },
        "to": to,
        "from": [
            who,
            ", ".join(filter(None, [practice.name, practice.address])),
            _numbers(practice.phone, practice.fax),
            gettext("In care here since {day}").format(day=full_day(coverage.local(client.created_at, practice))),
        ],
        "notice": "",
        "change": "",
        "number": 0,
    }


def _numbers(phone: str, fax: str) -> str:
    return gettext("Phone {phone} · Fax {fax}").format(phone=known(phone), fax=known(fax))


def _ask_block(referral: Referral, practice: Practice) -> dict[str, Any]:
    def days(code: str) -> str:
        n = clocks.clock(code).amount(referral.urgency, practice.referral_limits)
        return ngettext("{n} day", "{n} days", n).format(n=n)

    said = [
        gettext("Whether you accept, by the day above."),
        gettext("Any side effect or worry about safety, the same day."),
    ]
    if referral.path == Path.AT_HOME:
        said += [gettext("When treatment begins and ends."), gettext("A letter with the outcome at the end.")]
    else:
        said += [
            gettext("The first visit within {time} of your answer.").format(time=days("date")),
            gettext("The date of each session, done or missed."),
            gettext("A letter with the outcome within {time} of the last session.").format(time=days("letter")),
        ]
    rows = [
        row(gettext("What we ask"), referral.ask),
        row(gettext("What we keep doing"), referral.keep_doing),
        row(gettext("What we want back"), " ".join(said)),
    ]
    return block("", "ask", gettext("What we ask of you"), rows=rows)


def _permission_block(release: Release | None, emergency: bool) -> dict[str, Any]:
    if emergency:
        said = gettext("Sent in an emergency without a signed release; the reason is recorded at the practice.")
    elif release is None or release.signed_at is None:
        said = gettext("No release is signed yet.")
    else:
        who = {
            "self": gettext("The client"),
            "guardian": gettext("The client's parent or guardian"),
            "proxy": gettext("The client's health-care proxy"),
        }.get(release.relation, gettext("The client"))
        said = gettext(
            "{who} signed a release for this disclosure on {day}, limited to what is printed in this packet, valid "
            "until {until}."
        ).format(who=who, day=full_day(release.signed_at), until=full_day(release.expires_on))
    lines = [
        said,
        gettext(
            "Psychotherapy notes are not included. Re-disclosure without permission may be prohibited by law. Share "
            "only with those who treat this client at the clinic named above."
        ),
    ]
    return block("", "permission", gettext("Permission"), lines=lines)


# --- What may leave --------------------------------------------------------------------------------------------------


def sections_present(found: Content) -> list[str]:
    """The sections that something in this packet belongs to, in their order."""
    here = {each["section"] for each in found["blocks"]}
    here |= {line.get("section", "") for each in found["blocks"] for line in _lines(each)}
    return [str(section.value) for section in Section if section in here]


def _lines(each: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [*each.get("rows", []), *each.get("table", {}).get("rows", [])]


def limited(found: Content, sections: Collection[str]) -> Content:
    """Return the packet with these sections only. A block that nothing remains of is left out."""
    practice = Practice.get()
    kept = [smaller for each in found["blocks"] if (smaller := _smaller(each, set(sections)))]
    if practice.is_part2:
        kept = [_labelled(each) for each in kept]
    smaller_content = {**found, "blocks": kept}
    needs = disclosure.needs_notice(sections_present(smaller_content), practice)
    return smaller_content | {"notice": disclosure.redisclosure_notice() if needs else ""}


def _smaller(each: dict[str, Any], sections: set[str]) -> dict[str, Any] | None:
    if each["section"] and each["section"] not in sections:
        return None

    def may(line: Mapping[str, Any]) -> bool:
        return not line.get("section") or line["section"] in sections

    found = dict(each)
    if "rows" in each:
        found["rows"] = [line for line in each["rows"] if may(line)]
    if "table" in each:
        found["table"] = each["table"] | {"rows": [line for line in each["table"]["rows"] if may(line)]}
    if "chart" in each and Section.SAFETY not in sections:
        points = [[on, total, False] for on, total, _safety in each["chart"]["points"]]
        found["chart"] = each["chart"] | {"points": points}
    return found if found.get("lines") or found.get("chart") or _lines(found) else None


def _labelled(each: dict[str, Any]) -> dict[str, Any]:
    """Mark what a Part 2 programme knows of alcohol and drugs, line by line (42 CFR 2.32)."""
    label = gettext("42 CFR Part 2")
    rows = [
        line | {"label": f"{line['label']} [{label}]"} if line.get("section") == Section.SUBSTANCES else line
        for line in each.get("rows", [])
    ]
    return each | {"rows": rows} if rows else each


def outgoing(referral: Referral, at: datetime, *, emergency: bool = False) -> tuple[Content, disclosure.Answer | None]:
    """Return what would leave now, and the answer to whether it may; no answer in an emergency, which asks nobody.

    Without a clinic nothing may leave, and all that is not withheld is shown.
    """
    everything = content(referral, at, emergency=emergency)
    wanted = [section for section in sections_present(everything) if section not in referral.withheld]
    if emergency or referral.destination is None:
        return limited(everything, wanted), None
    answer = disclosure.may_disclose(referral.client, referral.destination, wanted, PURPOSE, at)
    if answer.release is not None and answer.sections:
        everything = content(referral, at, release=answer.release)
    return limited(everything, answer.sections), answer


# --- Freezing --------------------------------------------------------------------------------------------------------


def canonical(found: Content) -> bytes:
    """The one way to write this content, so that equal content has an equal hash."""
    return json.dumps(found, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def fingerprint(found: Content) -> str:
    return hashlib.sha256(canonical(found)).hexdigest()


@transaction.atomic
def freeze(*, by: User, referral: Referral, at: datetime, change: str = "", emergency: bool = False) -> Packet:
    """Keep the next version of the packet, without what is withheld or not released, and queue its PDF.

    A later version says what changed: in the words of `change`, else which parts. Raises NotNow when nothing may leave.
    """
    if referral.destination is None:
        raise NotNow(gettext("Choose the clinic first."))
    list(Referral.objects.select_for_update(no_key=True).filter(pk=referral.pk).values_list("pk"))
    found, answer = outgoing(referral, at, emergency=emergency)
    if answer is not None and not answer.sections:
        raise NotNow(answer.words)
    last = referral.packets.order_by("-number").first()
    found["number"] = last.number + 1 if last else 1
    found["change"] = change.strip() or (changes(last.content, found) if last else "")
    packet = Packet(referral=referral, number=found["number"], sha256=fingerprint(found), made_at=at, made_by=by)
    packet.content, packet.change = found, found["change"]
    packet.save(force_insert=True)
    sections = sections_present(found)
    audit.record("packet.frozen", by=by, client=referral.client, target=packet, at=at, sections=sections)
    jobs.enqueue("make_packet_pdf", ref=packet.pk, dedupe_key=f"make_packet_pdf:{packet.pk}")
    return packet


def changes(before: Content, after: Content) -> str:
    """Which parts differ from the version before, by their titles."""
    old = {each["key"]: each for each in before["blocks"]}
    new = {each["key"]: each for each in after["blocks"]}
    named = [each for key, each in new.items() if _said(old.get(key)) != _said(each)]
    gone = [each for key, each in old.items() if key not in new]
    titles = [str(_short(each)) for each in [*named, *gone]]
    if before["to"] != after["to"]:
        titles.insert(0, gettext("To"))
    if not titles:
        return gettext("Nothing changed since version {n}.").format(n=before["number"])
    return gettext("Changed since version {n}: {parts}.").format(n=before["number"], parts=", ".join(titles))


def _said(each: Mapping[str, Any] | None) -> Any:
    """What a part says, apart from the moment it was made."""
    if each is None:
        return None
    found = {key: value for key, value in each.items() if key != "title"}
    if "chart" in found:
        found["chart"] = {key: value for key, value in found["chart"].items() if key not in ("start", "end")}
    return found


def _short(each: Mapping[str, Any]) -> str:
    return str(each["title"]).partition(",")[0].partition(" (")[0]


# --- Drawing ---------------------------------------------------------------------------------------------------------


def chart(data: Mapping[str, Any]) -> tuple[SafeString, str]:
    """Return the drawing and its description in words, from the chart of a packet. Black on white needs no colours."""
    definition = load(data["instrument"], data["version"])
    points = [Point(date.fromisoformat(on), total, safety) for on, total, safety in data["points"]]
    days = [[date.fromisoformat(on) for on in course] for course in data["courses"]]
    words = describe(definition.short_name, points)
    drawn = trend(
        points,
        name=definition.short_name,
        bands=definition.ranges,
        maximum=float(definition.scoring["maximum"]),
        minimum=float(definition.scoring.get("minimum", 0)),
        start=date.fromisoformat(data["start"]),
        end=date.fromisoformat(data["end"]),
        baseline=data["baseline"],
        response=data["response"],
        remission_below=data["remission_below"],
        treatment=Treatment(courses=days),
        size=PAPER,
        chart_id="packet-chart",
        description=words,
    )
    return drawn, words
