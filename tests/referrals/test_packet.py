"""What a packet tells, what it leaves out, and that a frozen one stays as it was sent."""

import hashlib
import json
import pathlib
import re
import socket
from collections.abc import Callable, Iterator
from datetime import timedelta
from io import BytesIO
from threading import Thread
from typing import Any

import pytest
from django.db import connection
from django.template.loader import render_to_string
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from pypdf import PdfReader

from practice import actions, jobs
from practice.actions import NotNow
from practice.models import AuditEvent, Client, Job, Note, Practice, PsychotherapyNote, User
from referrals import letters, packet
from referrals.disclosure import redisclosure_notice
from referrals.models import Course, Packet, Path, Referral, Section
from referrals.sections.record import ASKED
from tests import sittings
from tests.factories import NOW
from tests.referrals import cases

QUERIES = 11


@pytest.fixture
def full(sam: Client, maya: User) -> Referral:
    """A referral of a client with a whole record, released to the clinic."""
    maya.licence = "LMFT 48213"
    maya.save()
    cases.whole_record(sam, maya)
    to = cases.clinic()
    cases.released(sam, to)
    return cases.referral(sam, maya, to)


@pytest.fixture
def bare(sam: Client, maya: User) -> Referral:
    """A referral of a client of whom nothing is known yet."""
    return cases.referral(sam, maya, cases.clinic(), why_now="", ask="", keep_doing="")


def of(content: dict[str, Any], key: str) -> dict[str, Any]:
    return next(each for each in content["blocks"] if each["key"] == key)


def facts(block: dict[str, Any]) -> dict[str, str]:
    return {row["label"]: row["value"] for row in block["rows"]}


def cells(block: dict[str, Any]) -> list[list[str]]:
    return [row["cells"] for row in block["table"]["rows"]]


def text_of(made: bytes) -> str:
    return " ".join(" ".join(page.extract_text() for page in PdfReader(BytesIO(made)).pages).split())


# --- What it tells ---------------------------------------------------------------------------------------------------


def test_packet_stands_in_the_order_that_a_clinic_reads(full: Referral) -> None:
    found = packet.content(full, NOW)
    assert [each["key"] for each in found["blocks"]] == [
        "client", "safety", "why", "scores", "medicines", "trials", "screening", "ask", "permission",
    ]  # fmt: skip
    assert found["to"] == ["Northlake Infusion, Marta Lopez", "Phone 555 0160 · Fax 555 0161"]
    assert found["from"] == [
        "Maya Torres, license LMFT 48213",
        "Cedar House",
        "Phone 555 0110 · Fax not known",
        "In care here since Nov 19, 2026",
    ]
    assert (found["answer_by"], found["urgency_words"]) == ("Nov 24, 2026", "Routine")
    assert (found["title"], found["reference"]) == ("Referral for ketamine infusion assessment", full.reference)
    assert packet.sections_present(found) == [s.value for s in Section if s is not Section.PAIN]
    assert json.loads(json.dumps(found)) == found


def test_packet_tells_who_and_how_to_reach_them_safely(full: Referral) -> None:
    assert facts(of(packet.content(full, NOW), "client")) == {
        "Name": "Sam Whitehorse (he/him)",
        "Born": "Mar 8, 1993 (33)",
        "Reach by": "Text or call +1 202 555 0142, no voicemail, e-mail too",
        "Language": "English, Spanish",
        "Payment": "Self-pay, wants an estimate first",
        "Ride home": "Yes",
        "Trusted person": "Lee Whitehorse (other family), 555 0199",
    }


def test_packet_boxes_safety_as_of_its_moment(full: Referral) -> None:
    safety = of(packet.content(full, NOW), "safety")
    assert (safety["boxed"], safety["title"]) == (True, "Safety, as of Nov 19, 2026, 10:00 am")
    assert safety["lines"] == [
        "C-SSRS screener Nov 18, 2026: Moderate. Yes: wish to be dead, thoughts of suicide, thoughts of a method. "
        "No: some intent to act, a plan with intent, suicidal behavior, ever.",
        "PHQ-9 item 9, Nov 18, 2026: 2 of 3, “More than half the days”.",
        "Safety contact Nov 19, 2026, 9:50 am by Maya Torres: spoke with the client. Level found: moderate. "
        "Next check Nov 20, 2026, 10:00 am.",
        "Safety plan of Nov 19, 2026, review by Dec 19, 2026. Means safety: talked about, steps agreed. "
        "Pills are at the brother's house.",
        "Call Maya Torres at 555 0110 the same day if risk rises. Call 911 in an emergency.",
    ]


@pytest.mark.parametrize(("days", "expired"), [(90, False), (91, True)])
def test_packet_calls_an_old_screen_expired(sam: Client, bare: Referral, days: int, expired: bool) -> None:
    sittings.assessed(sittings.sitting(sam, NOW - timedelta(days=days)), sittings.CSSRS, sittings.CSSRS_NONE)
    assert ("Expired: more than 90 days old." in of(packet.content(bare, NOW), "safety")["lines"][0]) is expired


def test_packet_tells_that_a_newer_sign_has_no_contact_yet(full: Referral, maya: User) -> None:
    later = NOW + timedelta(days=3)
    actions.raise_manual_flag(by=maya, client=full.client, severity="urgent", reason="Called in", at=later)
    told = of(packet.content(full, later + timedelta(hours=1)), "safety")["lines"][2]
    assert told.startswith(
        "Safety sign of Nov 22, 2026, 10:00 am: no contact recorded yet. Safety contact Nov 19, 2026"
    )


@pytest.mark.parametrize(
    ("may", "words"),
    [
        ("yes", "Lee (friend), 555 0199"),
        ("emergency", "Lee (friend), only in an emergency: 555 0199"),
        ("no", "Lee (friend), do not call"),
        ("", "Lee (friend), do not call"),
    ],
)
def test_packet_keeps_the_rule_of_the_trusted_person(bare: Referral, may: str, words: str) -> None:
    person = {"role": "support", "name": "Lee", "relation": "friend", "phone": "555 0199", "may_talk": may}
    bare.client.contacts = [person]
    assert facts(of(packet.content(bare, NOW), "client"))["Trusted person"] == words


def test_packet_tells_a_blank_of_the_screener_as_a_blank(sam: Client, bare: Referral) -> None:
    row = sittings.sitting(sam, NOW - timedelta(days=1))
    sittings.assessed(row, sittings.CSSRS, {"cssrs-1": 1, "cssrs-2": None, "cssrs-6": 0})
    first, second, *_ = of(packet.content(bare, NOW), "safety")["lines"]
    assert first == (
        "C-SSRS screener Nov 18, 2026: Low. Yes: wish to be dead. No: suicidal behavior, ever. "
        "Not answered: thoughts of suicide."
    )
    assert second == "PHQ-9 item 9: not known."


def test_packet_tells_turning_points_around_the_last_course(full: Referral) -> None:
    scores = of(packet.content(full, NOW), "scores")
    assert scores["table"]["columns"] == ["Measure", "First", "Before infusions", "After infusions", "Lowest", "Now"]
    assert cells(scores)[:2] == [
        ["PHQ-9 (0 to 27)", "21 (Jan 3, 2026)", "21 (Mar 2, 2026)", "9 (Mar 20, 2026)", "3 (Jul 26, 2026)",
         "19 (Nov 18, 2026)"],
        ["Item 9 (0 to 3)", "2", "2", "0", "0", "2"],
    ]  # fmt: skip
    assert len(cells(scores)) == 2
    assert facts(scores) == {"Taken once": "GAD-7 (0 to 21) 14 (Nov 18, 2026)"}
    assert scores["chart"]["points"][-1] == ["2026-11-18", 19.0, True]
    assert len(scores["chart"]["courses"][0]) == 6


def test_packet_tells_trials_and_screening(full: Referral) -> None:
    found = packet.content(full, NOW)
    assert cells(of(found, "trials")) == [
        ["Escitalopram", "20 mg", "8", "Not at all; It did not help enough"],
        ["Bupropion", "300 mg", "6", "A little (a quarter better); Side effects"],
    ]
    screening = facts(of(found, "screening"))
    denied = screening.pop("Asked and denied").split("; ")
    assert {"Bipolar disorder", "Mania or mixed state now", "Psychosis now", "Heart attack"} < set(denied)
    assert screening == {
        "Reported": "None of what was asked",
        "Not known": "Dissociative disorder",
        "Blood pressure": "124/80 on Nov 18, 2026",
        "Pregnancy": "No, or this does not apply to me",
        "Breastfeeding": "No, or this does not apply to me",
        "Alcohol (AUDIT-C)": "1 of 12, Below cut-point, Nov 18, 2026",
        "Drugs": "0, Negative, Nov 18, 2026",
        "Ketamine, not prescribed": "No",
        "Infusions before": "Northlake Infusion: 6 infusions, Mar 4, 2026 to Mar 14, 2026, IV drip",
    }


def test_packet_asks_for_what_the_clocks_wait_for(full: Referral) -> None:
    Practice.objects.update(referral_limits={"urgent": {"date": 3}})
    full.urgency = "urgent"
    found = packet.content(full, NOW)
    assert (found["answer_by"], found["urgency_words"]) == ("Nov 20, 2026", "Urgent")
    assert facts(of(found, "ask"))["What we want back"] == (
        "Whether you accept, by the day above. Any side effect or worry about safety, the same day. "
        "The first visit within 3 days of your answer. The date of each session, done or missed. "
        "A letter with the outcome within 14 days of the last session."
    )


def test_packet_of_a_client_without_therapist_and_clinic_says_so(bare: Referral, sam: Client) -> None:
    sam.therapist = bare.destination = None
    bare.client = sam
    found = packet.outgoing(bare, NOW)[0]
    assert (found["to"], found["from"][0]) == (["not chosen yet"], "not known")
    assert "Call Cedar House at 555 0110" in of(found, "safety")["lines"][-1]
    assert json.loads(json.dumps(found)) == found


def test_packet_of_an_unknown_client_prints_not_known_and_no_blank(bare: Referral, sam: Client) -> None:
    sam.pronouns = sam.birth_date = sam.reach = None
    sam.save_identity()
    found = packet.content(bare, NOW)
    client = facts(of(found, "client"))
    assert (client["Born"], client["Payment"], client["Ride home"]) == ("not known",) * 3
    assert of(found, "why")["lines"] == ["not known"]
    assert of(found, "trials")["lines"] == ["not known"]
    assert cells(of(found, "scores")) == [["PHQ-9 (0 to 27)", *["not known"] * 4]]
    screening = facts(of(found, "screening"))
    assert len(screening["Not known"].split("; ")) == len(ASKED)
    assert screening["Blood pressure"] == screening["Infusions before"] == "not known"
    lines = [line for each in found["blocks"] for line in each.get("lines", [])]
    values = [row["value"] for each in found["blocks"] for row in each.get("rows", [])]
    assert [text for text in (*lines, *values) if not text.strip()] == []


@pytest.mark.parametrize(
    ("path", "key", "expected"),
    [
        (Path.PAIN, "pain", {"Pain on most days, 3 months or more": "Yes",
                             "PEG score": "8 of 10, 7-10: severe, Nov 18, 2026", "Takes an opioid": "Yes"}),
        (Path.AT_HOME, "home", {"An adult stays for the whole treatment": "Yes", "Lives with": "not known",
                                "A private place that feels safe": "No", "People to count on": "Two",
                                "Prescriber": "Yes"}),
    ],
)  # fmt: skip
def test_packet_carries_the_facts_of_its_path(
    sam: Client, maya: User, path: Path, key: str, expected: dict[str, str]
) -> None:
    row = sittings.sitting(sam, NOW - timedelta(hours=20))
    sittings.answered(
        row, pain="yes", medicine__kinds=["opioid"], count__on="2", adult__stays="yes", safe__home="no"
    )  # fmt: skip
    sittings.assessed(row, "peg", {"peg-1": 8, "peg-2": 8, "peg-3": 8})
    found = packet.content(cases.referral(sam, maya, cases.clinic(), path=path), NOW)
    assert facts(of(found, key)) == expected


# --- What it leaves out ----------------------------------------------------------------------------------------------


def test_frozen_packet_leaves_out_what_is_withheld_or_not_released(full: Referral, maya: User, sam: Client) -> None:
    sam.releases.update(revoked_at=NOW)
    assert full.destination is not None
    named = [code for code in cases.ALL if code not in (Section.SUBSTANCES, Section.HISTORY)]
    cases.released(sam, full.destination, named)
    full.withheld = [str(Section.SAFETY), str(Section.SUPPORT)]
    full.save()
    found = packet.freeze(by=maya, referral=full, at=NOW).content
    assert packet.sections_present(found) == ["identity", "why", "scores", "medicines", "health"]
    said = json.dumps(found, ensure_ascii=False).lower()
    for gone in (
        "audit-c",
        "suicid",
        "item 9",
        "c-ssrs",
        "lee whitehorse",
        "infusions before",
        "withheld",
        "ride home",
    ):
        assert gone not in said, gone
    assert [safety for _on, _total, safety in of(found, "scores")["chart"]["points"]] == [False] * 7


def test_packet_never_holds_notes(full: Referral, maya: User) -> None:
    """Checks 7 and 8: psychotherapy notes, notes of the record, and the story a client wrote for the therapist."""
    for model, words in ((PsychotherapyNote, "CANARY-PRIVATE"), (Note, "CANARY-NOTE")):
        note = model(client=full.client, by=maya, at=NOW)
        note.body = words
        note.save(force_insert=True)
    sittings.answered(full.client.intakes.filter(invitation__packet="intake").get(), story="CANARY-STORY")
    frozen = packet.freeze(by=maya, referral=full, at=NOW)
    page = render_to_string("referrals/_packet.html", {"content": frozen.content, "packet": frozen})
    assert "CANARY" not in json.dumps(frozen.content) + page + text_of(letters.packet_pdf(frozen))
    assert "Psychotherapy notes are not included." in page


def test_part2_practice_labels_substances_and_prints_the_notice_first(full: Referral, maya: User) -> None:
    """Check 51."""
    Practice.objects.update(is_part2=True)
    assert "substances" not in packet.sections_present(packet.freeze(by=maya, referral=full, at=NOW).content)
    full.client.releases.update(part2=True)
    frozen = packet.freeze(by=maya, referral=full, at=NOW)
    assert frozen.content["notice"] == redisclosure_notice()
    labels = facts(of(frozen.content, "screening"))
    assert [label for label in labels if "Part 2" in label] == [
        "Alcohol (AUDIT-C) [42 CFR Part 2]",
        "Drugs [42 CFR Part 2]",
        "Ketamine, not prescribed [42 CFR Part 2]",
    ]
    first = PdfReader(BytesIO(letters.packet_pdf(frozen))).pages[0].extract_text()
    assert "42 CFR part 2" in " ".join(first.split())


def test_packet_without_a_release_is_not_frozen(bare: Referral, maya: User) -> None:
    with pytest.raises(NotNow, match="There is no release for Northlake Infusion on file"):
        packet.freeze(by=maya, referral=bare, at=NOW)
    found = packet.freeze(by=maya, referral=bare, at=NOW, emergency=True).content
    assert of(found, "permission")["lines"][0].startswith("Sent in an emergency without a signed release")


# --- Frozen ----------------------------------------------------------------------------------------------------------


def test_frozen_packet_stays_as_it_was_and_a_change_is_version_two(full: Referral, maya: User) -> None:
    first = packet.freeze(by=maya, referral=full, at=NOW)
    kept = first.content
    full.client.payment = "Insurance"
    full.client.save_identity()
    full.why_now = "Something new."
    full.save()
    second = packet.freeze(by=maya, referral=full, at=NOW + timedelta(hours=1))
    first = Packet.objects.get(pk=first.pk)
    assert (first.number, first.content, first.sha256) == (1, kept, packet.fingerprint(kept))
    assert (second.number, second.change) == (2, "Changed since version 1: Client, Why now.")
    assert second.content["change"] == second.change
    third = packet.freeze(by=maya, referral=full, at=NOW + timedelta(hours=2), change="New phone number")
    assert third.content["change"] == "New phone number"


def test_packet_hash_is_of_the_canonical_json_and_tells_a_change(full: Referral, maya: User) -> None:
    frozen = packet.freeze(by=maya, referral=full, at=NOW)
    plain = json.dumps(frozen.content, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    assert frozen.sha256 == hashlib.sha256(plain).hexdigest()
    assert frozen.code == f"{frozen.sha256[:4]}-{frozen.sha256[4:8]}".upper()
    assert packet.fingerprint(frozen.content | {"reference": "CH-9999-1"}) != frozen.sha256


def test_freezing_is_audited_by_names_of_sections_only(full: Referral, maya: User) -> None:
    frozen = packet.freeze(by=maya, referral=full, at=NOW)
    event = AuditEvent.objects.get(action="packet.frozen")
    assert (event.target_id, event.facts) == (str(frozen.pk), {"sections": packet.sections_present(frozen.content)})


# --- On paper --------------------------------------------------------------------------------------------------------


def test_job_makes_the_pdf_once(full: Referral, maya: User) -> None:
    frozen = packet.freeze(by=maya, referral=full, at=NOW)
    assert (frozen.pdf, frozen.pdf_pages) == (b"", None)
    assert list(Job.objects.filter(kind="make_packet_pdf").values_list("ref", flat=True)) == [str(frozen.pk)]
    jobs.run_due()
    frozen = Packet.objects.get(pk=frozen.pk)
    assert frozen.pdf.startswith(b"%PDF") and frozen.pdf_sha256 == hashlib.sha256(frozen.pdf).hexdigest()
    assert frozen.pdf_pages == len(PdfReader(BytesIO(frozen.pdf)).pages) == 2
    jobs.enqueue("make_packet_pdf", ref=frozen.pk)
    jobs.run_due()
    assert Packet.objects.get(pk=frozen.pk).pdf_sha256 == frozen.pdf_sha256


def test_pdf_and_page_say_the_same(full: Referral, maya: User) -> None:
    frozen = packet.freeze(by=maya, referral=full, at=NOW)
    page = render_to_string("referrals/_packet.html", {"content": frozen.content, "packet": frozen})
    said = " ".join(re.sub(r"<[^>]+>", " ", re.sub(r"<svg.*?</svg>", " ", page, flags=re.S)).split())
    printed = re.sub(r"\W", "", text_of(letters.packet_pdf(frozen)))
    for each in frozen.content["blocks"]:
        texts = [*each.get("lines", []), *(row["value"] for row in each.get("rows", []))]
        texts += [cell for row in each.get("table", {}).get("rows", []) for cell in row["cells"]]
        for text in [each["title"], *texts]:
            assert re.sub(r"\W", "", text) in printed, text
            assert text.replace("'", "&#x27;") in said, text
    assert frozen.code in said and re.sub(r"\W", "", frozen.code) in printed


def test_each_page_has_reference_number_and_return_phone(full: Referral, maya: User) -> None:
    frozen = packet.freeze(by=maya, referral=full, at=NOW)
    for number, page in enumerate(PdfReader(BytesIO(letters.packet_pdf(frozen))).pages, 1):
        words = " ".join(page.extract_text().split())
        assert words.count(full.reference) == 2
        assert f"page {number} of 2" in words and "Call 555 0110" in words


def test_pdf_is_tagged_black_and_at_least_ten_points(full: Referral, maya: User) -> None:
    reader = PdfReader(BytesIO(letters.packet_pdf(packet.freeze(by=maya, referral=full, at=NOW))))
    root = reader.trailer["/Root"]
    assert root["/MarkInfo"]["/Marked"] and root["/Lang"] == "en"  # type: ignore[index]
    assert b"pdfuaid:part" in root["/Metadata"].get_object().get_data()  # type: ignore[index]
    sizes: set[float] = set()
    for page in reader.pages:
        assert [float(side) for side in page.mediabox[2:]] == [612, 792]
        page.extract_text(
            visitor_text=lambda text, cm, tm, font, size: (
                sizes.add(round(abs(size * (tm[3] or tm[0]) * (cm[3] or cm[0])), 1)) if text.strip() else None
            )
        )
    assert min(sizes) >= 10


def test_fax_cover_says_nothing_of_the_client(full: Referral, maya: User) -> None:
    frozen = packet.freeze(by=maya, referral=full, at=NOW)
    letters.keep_pdf(frozen, letters.packet_pdf(frozen))
    cover = text_of(letters.fax_cover(full, Packet.objects.get(pk=frozen.pk)))
    assert "Sam" not in cover and "Whitehorse" not in cover and "ketamine" not in cover.lower()
    for said in (full.reference, "Northlake Infusion", "555 0161", "3, with this one", "call 555 0110"):
        assert said in cover


# --- The page --------------------------------------------------------------------------------------------------------


def test_packet_page_shows_the_version_asked_for(
    full: Referral, maya: User, as_user: Callable[[User], Browser]
) -> None:
    browser, url = as_user(maya), f"/referrals/{full.pk}/packet/"
    assert "Nothing was sent yet. This is what would go now." in browser.get(url).content.decode()
    first = packet.freeze(by=maya, referral=full, at=NOW)
    second = packet.freeze(by=maya, referral=full, at=NOW, change="New phone")
    page = browser.get(url).content.decode()
    assert second.code in page and "New phone" in page and "The PDF is being made." in page
    assert "Sam" not in re.search(r"<title>(.*?)</title>", page, re.S)[1]  # type: ignore[index]
    page = browser.get(f"{url}?version=1").content.decode()
    assert first.code in page and "New phone" not in page
    assert [browser.get(f"{url}?version={n}").status_code for n in ("3", "0", "x", "²", "9" * 30)] == [404] * 5


def test_packet_pdf_and_fax_cover_are_downloads_once_made(
    full: Referral, maya: User, as_user: Callable[[User], Browser]
) -> None:
    browser, url = as_user(maya), f"/referrals/{full.pk}"
    assert browser.get(f"{url}/packet.pdf").status_code == browser.get(f"{url}/fax-cover/").status_code == 404
    frozen = packet.freeze(by=maya, referral=full, at=NOW)
    assert browser.get(f"{url}/packet.pdf")["Location"] == f"{url}/packet/"
    letters.keep_pdf(frozen, letters.packet_pdf(frozen))
    made, cover = browser.get(f"{url}/packet.pdf"), browser.get(f"{url}/fax-cover/")
    assert made.content == Packet.objects.get(pk=frozen.pk).pdf
    assert made["Content-Disposition"] == f'attachment; filename="packet-{full.reference}-1.pdf"'
    assert cover["Content-Disposition"] == f'attachment; filename="fax-cover-{full.reference}.pdf"'
    assert list(AuditEvent.objects.filter(action__startswith="read.").values_list("action", flat=True)) == [
        "read.packet_pdf", "read.fax_cover"
    ]  # fmt: skip


def test_packet_is_read_by_those_who_may_read_the_chart(
    full: Referral, people: dict[str, User], as_user: Callable[[User], Browser]
) -> None:
    packet.freeze(by=people["maya"], referral=full, at=NOW)
    answers = {who: as_user(user).get(f"/referrals/{full.pk}/packet/").status_code for who, user in people.items()}
    assert answers == {"maya": 200, "sol": 200, "pax": 200, "omar": 404, "ines": 404, "fay": 403, "rosa": 403}


@pytest.fixture
def people(maya: User, sol: User, pax: User, omar: User, ines: User, fay: User, rosa: User) -> dict[str, User]:
    return {"maya": maya, "sol": sol, "pax": pax, "omar": omar, "ines": ines, "fay": fay, "rosa": rosa}


# --- Hostile ---------------------------------------------------------------------------------------------------------


class Listener(Thread):
    """A server that notes whoever connects."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port, self.hits = self.socket.getsockname()[1], 0

    def run(self) -> None:
        while True:
            try:
                caller, _ = self.socket.accept()
            except OSError:
                return
            self.hits += 1
            caller.close()


@pytest.fixture
def listener() -> Iterator[Listener]:
    found = Listener()
    found.start()
    yield found
    found.socket.close()


def test_packet_fetches_nothing_and_prints_what_was_written(
    full: Referral, maya: User, listener: Listener, tmp_path: pathlib.Path
) -> None:
    """Security check 39; V50."""
    secret = tmp_path / "secret.txt"
    secret.write_text("CANARY-FILE")
    url = f"http://127.0.0.1:{listener.port}/x.png"
    hostile = [
        f'<img src="{url}">',
        f'<iframe src="file://{secret}"></iframe>',
        f'#image("{url}")',
        f'#read("{secret}")',
        f'#include "{secret}"',
        f"[link]({url})",
        f'#link("{url}")',
        "$ x^2 $ *bold* _it_ = Heading @ref <label> \\ #{panic()}",
        "{{ 7|add:7 }} {% debug %}",
        "\u202ertl\u2066 \x00\x07 end",
    ]
    full.why_now, full.ask = "\n".join(hostile), hostile[3]
    full.save()
    full.client.payment = hostile[2]
    full.client.save_identity()
    full.destination.coordinator = hostile[0][:80]  # type: ignore[union-attr]
    full.destination.save()  # type: ignore[union-attr]
    frozen = packet.freeze(by=maya, referral=full, at=NOW)
    made = letters.packet_pdf(frozen)
    page = render_to_string("referrals/_packet.html", {"content": frozen.content, "packet": frozen})
    printed = re.sub(r"[\s\u200b]", "", text_of(made))
    for said in hostile[:-1]:
        assert re.sub(r"\s", "", said) in printed, said
    assert "CANARY-FILE" not in printed + page
    assert "<img" not in page and "<iframe" not in page and "14 " not in of(frozen.content, "why")["lines"][0]
    assert not any("/Annots" in each for each in PdfReader(BytesIO(made)).pages)
    assert listener.hits == 0


def test_pdf_tells_in_words_what_its_fonts_lack(full: Referral, maya: User) -> None:
    full.why_now = "Better 😊👍🏽 then worse. 中 Привет \x00\u202e end"
    full.save()
    made = text_of(letters.packet_pdf(packet.freeze(by=maya, referral=full, at=NOW)))
    assert "Better [smiling face with smiling eyes][thumbs up sign] then worse. [U+4E2D] Привет" in made


def test_packet_of_very_long_words_stays_readable(full: Referral, maya: User) -> None:
    """More pages then: nothing is cut, and every page still says whose it is."""
    full.why_now = "Word after word of why. " * 160 + "END-OF-WHY"
    full.ask = "x" * 3000 + "END-OF-ASK"
    full.keep_doing = "\n" * 200 + "END-OF-KEEP"
    full.save()
    full.client.allergies = "Nuts; " * 500 + "END-OF-ALLERGIES"
    full.client.save_identity()
    made = letters.packet_pdf(packet.freeze(by=maya, referral=full, at=NOW))
    pages = [" ".join(page.extract_text().split()) for page in PdfReader(BytesIO(made)).pages]
    assert 2 < len(pages) < 12
    for end in ("END-OF-WHY", "END-OF-ASK", "END-OF-KEEP", "END-OF-ALLERGIES"):
        assert any(end in page for page in pages), end
    for number, page in enumerate(pages, 1):
        assert page.count(full.reference) == 2 and f"page {number} of {len(pages)}" in page


@pytest.mark.parametrize("more", [1, 3])
def test_packet_costs_the_same_for_a_short_record_and_a_long_one(full: Referral, more: int) -> None:
    for n in range(more):
        row = sittings.sitting(full.client, NOW - timedelta(days=10 + n))
        sittings.assessed(row, "phq-9", sittings.phq9_of(9, 1))
        sittings.answered(row, pain="no", ride="yes")
        Course.objects.create(client=full.client, clinic="Elsewhere", started_on=NOW.date() - timedelta(days=400 + n))
    found = Referral.objects.get(pk=full.pk)
    with CaptureQueriesContext(connection) as asked:
        packet.content(found, NOW)
    assert len(asked) == QUERIES
