"""The practice's own versions of packets: edited without code, frozen once published, text only (ADR 0023)."""

import csv
import io
import json
import zipfile
from collections.abc import Callable
from datetime import timedelta
from html import escape
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test import Client as Browser
from django.utils import translation

from intake import actions, copies, drafting, fixed, flow, issuing, packet, pieces, spoken
from intake.drafting import Wording
from intake.models import Answer, Invitation, PacketDraft, PacketVersion
from practice import exports, frozen_triggers, jobs
from practice.actions import NotNow
from practice.clinical.instrument import all_instruments
from practice.models import AuditEvent, Client, Export, KeptForm, User
from tests.conftest import send
from tests.factories import NOW
from tests.intake.conftest import Phone, text_of

pytestmark = pytest.mark.usefixtures("clock", "house")
HOSTILE = "<script>alert(1)</script> {{ request.user }} {% load x %} %(label)s {0} \u202eevil"
KEPT = HOSTILE.replace("\u202e", "")
WORDS = Wording(text="How do you sleep?", type="words")


def edit(by: User, key: str, act: Callable[[Any], Any]) -> PacketDraft:
    draft = issuing.begin(by=by, key=key, at=NOW)
    return issuing.change(by=by, key=key, seen=draft.version, act=act, at=NOW)


def publish(by: User, key: str, act: Callable[[Any], Any], reason: str = "We want to know") -> PacketVersion:
    draft = edit(by, key, act)
    return issuing.publish(by=by, key=key, seen=draft.version, reason=reason, at=NOW)


def own_slug(key: str) -> str:
    return next(page.slug for page in packet.load(key).pages if page.slug.startswith(fixed.OWN))


@pytest.fixture
def admin(as_user: Callable[[User], Browser], rosa: User) -> Browser:
    return as_user(rosa)


# --- Versions --------------------------------------------------------------------------------------------------------


def test_published_version_is_what_new_invitations_ask_and_old_ones_keep_theirs(
    sam: Client, kit: Client, maya: User, rosa: User, on_call: User
) -> None:
    """Feature A17: submitted versions stay frozen, and version 1 works after version 2 is published."""
    first = actions.invite(by=maya, client=sam, key="check-in", at=NOW)
    row = publish(rosa, "check-in", lambda rows: drafting.ask(rows, "worry", WORDS))
    second = actions.invite(by=maya, client=kit, key="check-in", at=NOW)
    slug = own_slug("check-in")
    assert (row.version, first.packet_version, second.packet_version) == ("1.1", "1", "1.1")
    assert (slug in actions.packet_for(first).by_slug, slug in actions.packet_for(second).by_slug) == (False, True)
    assert issuing.sent("check-in") == {"1": 1, "1.1": 1}
    phone = Phone(first).start()
    assert phone.say("phq-9--1", "0").status_code == 303


def test_question_left_out_while_a_client_is_in_the_middle_stays_in_their_form(
    sam: Client, maya: User, rosa: User, on_call: User
) -> None:
    publish(rosa, "check-in", lambda rows: drafting.ask(rows, "worry", WORDS))
    slug = own_slug("check-in")
    phone = Phone(actions.invite(by=maya, client=sam, key="check-in", at=NOW)).start()
    publish(rosa, "check-in", lambda rows: drafting.leave_out(rows, slug, out=True))
    assert slug not in packet.load("check-in").by_slug
    assert "How do you sleep?" in text_of(phone.get(f"/my/q/{slug}/"))
    assert phone.say(slug, "Badly").status_code == 303
    assert phone.saved(slug) == "Badly"


def test_own_question_stands_in_the_check_the_chart_and_the_record(
    sam: Client, maya: User, rosa: User, on_call: User, as_user: Callable[[User], Browser]
) -> None:
    asked = Wording(text="What helps at night?", type="checks", choices=("Tea", "A walk"), none="Nothing")
    publish(rosa, "check-in", lambda rows: drafting.ask(rows, "worry", asked))
    slug = own_slug("check-in")
    phone = Phone(actions.invite(by=maya, client=sam, key="check-in", at=NOW)).start()
    phone.say(slug, ["c2"])
    assert "What helps at night? A walk" in text_of(phone.get("/my/check/"))
    phone.post("/my/send/")
    sitting = phone.sitting
    read = as_user(maya).get(f"/clients/{sam.pk}/intakes/{sitting.pk}/")
    assert "What helps at night? A walk" in text_of(read)
    kept = Answer.objects.get(intake=sitting, question=slug)
    assert kept.value == ["c2"]


def test_own_question_stands_in_the_clients_copy_in_the_words_that_were_answered(
    sam: Client, maya: User, rosa: User, on_call: User, settings: Any, tmp_path: Path
) -> None:
    """Feature A17, security check 52: a copy says what was asked then, whatever the practice asks in its place now."""
    settings.DATA_DIR = tmp_path
    asked = Wording(text="What helps at night?", type="checks", choices=("Tea", "A walk"), none="Nothing")
    publish(rosa, "check-in", lambda rows: drafting.ask(rows, "worry", asked))
    slug = own_slug("check-in")
    phone = Phone(actions.invite(by=maya, client=sam, key="check-in", at=NOW)).start()
    phone.say("phq-9--1", "3")
    phone.say(slug, ["c2"])
    phone.post("/my/send/")
    other = Wording(text="What helps by day?", type="checks", choices=("Coffee", "A run"), none="Nothing")
    publish(rosa, "check-in", lambda rows: drafting.reword(rows, slug, other))
    assert packet.load("check-in").by_slug[slug].text == "What helps by day?"
    files = copied(exports.begin(by=maya, client=sam, at=NOW))
    told = {row["question"]: row for row in json.loads(files["json/intake-answer-0001.json"])}
    assert {name: (row["question_words"], row["answer_words"]) for name, row in told.items()} == {
        slug: ("What helps at night?", "A walk"),
        "phq-9--1": ("Little interest or pleasure in doing things", "Nearly every day"),
    }
    columns = csv.DictReader(io.StringIO(files["columns.csv"].decode("utf-8-sig")))
    assert {row["column"] for row in columns if row["table"] == "intake-answer"} == set(told[slug])
    whole = copied(exports.begin(by=rosa, client=None, at=NOW))
    (row, _other) = json.loads(whole["json/intake-answer-0001.json"])  # the versions lie beside it
    assert (
        "question_words" not in row and "What helps at night?" in whole["json/intake-packetversion-0001.json"].decode()
    )


def copied(export: Export) -> dict[str, bytes]:
    jobs.run_due()
    export.refresh_from_db()
    with zipfile.ZipFile(io.BytesIO(b"".join(exports.zipped(export)))) as bundle:
        return {name: bundle.read(name) for name in bundle.namelist()}


def test_answer_of_a_version_that_was_changed_behind_our_back_is_in_the_copy_by_its_name(
    sam: Client, maya: User, rosa: User, on_call: User
) -> None:
    row = publish(rosa, "check-in", lambda rows: drafting.ask(rows, "worry", WORDS))
    slug = own_slug("check-in")
    phone = Phone(actions.invite(by=maya, client=sam, key="check-in", at=NOW)).start()
    phone.say(slug, "Badly")
    kept = Answer.objects.get(question=slug)
    assert copies.in_words(kept) == ("How do you sleep?", "Badly")
    packet._read.cache_clear()
    frozen_triggers.drop(connection)  # as who owns the database server could
    PacketVersion.objects.filter(pk=row.pk).update(sha256="0" * 64)
    assert copies.in_words(kept) == (slug, "")
    kept.question = "gone"
    assert copies.in_words(kept) == ("gone", "")


def test_published_version_is_never_changed(rosa: User) -> None:
    row = publish(rosa, "check-in", lambda rows: drafting.ask(rows, "worry", WORDS))
    row.reason = "Another"
    with pytest.raises(ValueError, match="never changed"):
        row.save()
    with pytest.raises(ValueError, match="never deleted"):
        row.delete()


def test_version_that_was_changed_in_the_database_is_refused(rosa: User) -> None:
    row = publish(rosa, "check-in", lambda rows: drafting.ask(rows, "worry", WORDS))
    packet._read.cache_clear()
    frozen_triggers.drop(connection)
    PacketVersion.objects.filter(pk=row.pk).update(rows=row.rows | {"title": "Another"})
    with pytest.raises(ValueError, match="not as it was published"):
        packet.load("check-in")


def test_second_version_follows_the_first_and_says_what_it_changes(rosa: User) -> None:
    publish(rosa, "check-in", lambda rows: drafting.ask(rows, "worry", WORDS), "Sleep matters")
    slug = own_slug("check-in")
    said = Wording(
        text="How have you slept?", type="text", required=True, told={"How have you slept?": "¿Cómo durmió?"}
    )
    row = publish(rosa, "check-in", lambda rows: drafting.reword(rows, slug, said), "Plainer")
    assert (row.version, row.number, row.base) == ("1.2", 2, "1.1")
    assert row.changes == [
        "A question: “How have you slept?” in place of “How do you sleep?”.",
        "“How have you slept?” has to be answered.",
        "The kind of answer to “How have you slept?” (a line of text; has to be answered).",
        "In Spanish, “How have you slept?” is “¿Cómo durmió?”.",
    ]
    assert [(each.version, each.reason) for each in PacketVersion.objects.all()] == [
        ("1.2", "Plainer"),
        ("1.1", "Sleep matters"),
    ]


def test_publishing_is_in_the_trail_with_its_fingerprint_and_no_words(rosa: User) -> None:
    row = publish(rosa, "check-in", lambda rows: drafting.ask(rows, "worry", WORDS))
    event = AuditEvent.objects.get(action="packet.published")
    assert (event.actor_id, event.facts) == (
        rosa.pk, {"packet": "check-in", "version": "1.1", "sha256": row.sha256},
    )  # fmt: skip


def test_draft_that_changes_nothing_is_not_published(rosa: User) -> None:
    draft = issuing.begin(by=rosa, key="check-in", at=NOW)
    with pytest.raises(NotNow, match="Nothing differs"):
        issuing.publish(by=rosa, key="check-in", seen=draft.version, reason="Why", at=NOW)


def test_draft_left_for_weeks_is_as_it_was_left(rosa: User, admin: Browser) -> None:
    edit(rosa, "check-in", lambda rows: drafting.ask(rows, "worry", WORDS))
    with time_machine.travel(NOW + timedelta(weeks=6), tick=False):
        from tests.conftest import sign_in

        sign_in(admin, rosa)
        assert "How do you sleep?" in text_of(admin.get("/practice/forms/check-in/draft/"))
        assert "1 change" in text_of(admin.get("/practice/forms/check-in/draft/"))


def test_all_of_it_goes_back_to_what_waymark_ships(rosa: User) -> None:
    publish(rosa, "check-in", lambda rows: drafting.ask(rows, "worry", WORDS))
    draft = issuing.begin(by=rosa, key="check-in", at=NOW, from_waymark=True)
    row = issuing.publish(by=rosa, key="check-in", seen=draft.version, reason="Back", at=NOW)
    assert [page.slug for page in packet.load("check-in").pages] == [p.slug for p in packet.seed("check-in").pages]
    assert (row.base, row.changes) == ("1", ["Deleted: “How do you sleep?”."])


# --- What is fixed ---------------------------------------------------------------------------------------------------


def test_each_kind_of_fixed_question_says_why() -> None:
    found = fixed.why(packet.rows_of("intake", "1"))
    wanted = {
        "phq-9--1": fixed.SAFETY, "cssrs-screener-recent--1": fixed.SAFETY, "safe-now": fixed.SAFETY,
        "gad-7--1": fixed.OFFICIAL, "agreement--ketamine": fixed.SIGNED, "pregnancy": fixed.RULES,
        "blood-pressure": fixed.RULES, "ketamine-interest": fixed.GATE, "voices": fixed.GATE, "reach": fixed.RECORD,
        "names": fixed.RECORD, "trials": fixed.RECORD, "story": None, "lost-time": None, "lives-with": None,
    }  # fmt: skip
    assert {name: found.get(name) for name in wanted} == wanted


def test_no_fixed_question_takes_other_words_or_is_left_out() -> None:
    rows = drafting.opened(packet.rows_of("intake", "1"))
    reasons = fixed.why(rows)
    for name in reasons:
        with pytest.raises(NotNow):
            drafting.reword(rows, name, Wording(text="Other"))
    may = {fixed.name(row) for row in fixed.rows(rows) if fixed.may_leave_out(row, reasons)}
    assert may == {
        "story", "hopes", "high-mood-trouble", "high-mood-start", "voices-drugs", "lost-time", "unreal",
        "sisq-drug--1", "b-ipf--1", "wbs-2--1",
    }  # fmt: skip


def test_everything_the_code_reads_by_name_is_fixed_in_place() -> None:
    """What a clinic's packet and the decision table read can never be left out of a version of the practice's own."""
    from intake import measures
    from practice.clinical import table
    from referrals.sections import record

    rows = drafting.opened(packet.rows_of("intake", "1"))
    reasons = fixed.why(rows)
    may = {name for row in fixed.rows(rows) if fixed.may_leave_out(row, reasons) for name in fixed.names(row)}
    read = {each.page for each in record.ASKED} | set(record.OTHER_PAGES)
    read |= {slug for name in table.inputs() for slug in measures.pages_for(name)}
    assert read & may == set()


def test_safety_question_is_never_later_left_out_or_without_its_screen() -> None:
    rows = drafting.opened(packet.rows_of("check-in", "1"))
    with pytest.raises(NotNow, match="never asked later"):
        drafting.move_section(rows, "mood", 1)
    with pytest.raises(NotNow, match="cannot be left out"):
        drafting.leave_out(rows, "phq-9--1", out=True)
    with pytest.raises(NotNow, match="cannot be left out"):
        drafting.leave_out_section(rows, "mood", out=True)
    with pytest.raises(NotNow, match="part of Waymark's packet"):
        drafting.remove_section(rows, "mood")
    asked = drafting.ask(rows, "mood", WORDS)
    name = asked["sections"][0]["pages"][-1]["slug"]
    with pytest.raises(NotNow, match="after the safety questions"):
        drafting.move(asked, name, -1)


def test_question_that_others_hang_on_stays_before_them() -> None:
    rows = drafting.opened(packet.rows_of("intake", "1"))
    with pytest.raises(NotNow, match="Those questions come before it"):
        drafting.leave_out(rows, "sisq-drug--1", out=True)  # the question which drugs hangs on it


# --- A packet of the practice's own ----------------------------------------------------------------------------------


def test_new_packet_of_agreements_forms_and_measures_is_sent_in_its_order(
    sam: Client, maya: User, rosa: User, on_call: User
) -> None:
    """Feature A7: a named packet of consents, forms and measures."""
    key = issuing.begin_new(by=rosa, title="Before a group", at=NOW).key
    for version, piece in enumerate(("a.telehealth", "s.intake.home", "i.phq-9", "i.gad-7"), 1):
        issuing.change(by=rosa, key=key, seen=version, act=lambda rows, p=piece: pieces.add(rows, p), at=NOW)
    issuing.publish(by=rosa, key=key, seen=5, reason="Groups begin in May", at=NOW)
    wanted = packet.load(key)
    assert [each.key for each in wanted.sections] == ["sign-telehealth", "home", "phq-9", "gad-7"]
    assert [each.key for each in wanted.instruments()] == ["phq-9", "cssrs-screener-recent", "gad-7"]
    assert (wanted.title, wanted.version, packet.all_packets()[-1].key) == ("Before a group", "1", key)
    phone = Phone(actions.invite(by=maya, client=sam, key=key, at=NOW)).start()
    phone.say("phq-9--9", "1")
    assert flow.suicidal_sign(wanted, actions.replies_of(phone.sitting))
    assert "cssrs-screener-recent--1" in [
        page.slug for page in flow.pages(wanted, actions.replies_of(phone.sitting), flow.World())
    ]


def test_every_instrument_of_the_catalogue_can_be_added(rosa: User) -> None:
    for each in all_instruments():
        empty = {"key": "own-1", "version": "", "language": "en", "title": "T", "sections": []}
        rows = pieces.add(empty, f"i.{each.key}")
        assert each.key in {row["instrument"] for row in fixed.rows(rows)}
        assert packet.built(rows).instruments()


def test_second_instrument_with_a_safety_question_comes_before_the_screen() -> None:
    rows: Any = {"key": "own-1", "version": "", "language": "en", "title": "T", "sections": []}
    for piece in ("i.phq-9", "i.asq"):
        rows = pieces.add(rows, piece)
    assert [row["instrument"] for row in fixed.rows(rows)] == ["asq", "phq-9", "cssrs-screener-recent"]
    with pytest.raises(NotNow, match="C-SSRS has to follow"):
        drafting.move_section(rows, "asq", 1)
    with pytest.raises(NotNow, match="asks this already"):
        pieces.add(rows, "s.check-in.mood")


def test_condition_on_what_is_not_asked_falls_away() -> None:
    rows: Any = {"key": "own-1", "version": "", "language": "en", "title": "T", "sections": []}
    rows = pieces.add(rows, "s.intake.health")
    assert {page.show_when == {} for page in packet.built(rows).pages} == {True}


def test_empty_packet_is_not_published(rosa: User) -> None:
    draft = issuing.begin_new(by=rosa, title="Empty", at=NOW)
    with pytest.raises(NotNow, match="asks nothing yet"):
        issuing.publish(by=rosa, key=draft.key, seen=1, reason="Why", at=NOW)
    with pytest.raises(ValueError, match="no packet called"):
        packet.load(draft.key)


# --- Hostile wording -------------------------------------------------------------------------------------------------


def test_wording_reaches_every_page_only_as_text(
    sam: Client, maya: User, rosa: User, on_call: User, admin: Browser, as_user: Callable[[User], Browser]
) -> None:
    """Feature A17: what the practice writes is never markup or a template, wherever it is shown."""
    draft = issuing.begin(by=rosa, key="check-in", at=NOW)
    form = {"version": draft.version, "text": HOSTILE, "hint": HOSTILE, "type": "choice", "choices": f"{HOSTILE}\nNo",
            "es_text": HOSTILE}  # fmt: skip
    assert send(admin, "/practice/forms/check-in/draft/s/worry/ask/", form).status_code == 302
    title = {"version": 2, "title": HOSTILE[:70], "why": HOSTILE, "minutes": 2}
    assert send(admin, "/practice/forms/check-in/draft/s/worry/", title).status_code == 302
    pages = ["draft/", "draft/publish/", "preview/"]
    answer = send(admin, "/practice/forms/check-in/draft/publish/", {"version": 3, "reason": HOSTILE})
    assert answer.status_code == 302
    slug = own_slug("check-in")
    assert packet.load("check-in").by_slug[slug].text == KEPT
    phone = Phone(actions.invite(by=maya, client=sam, key="check-in", at=NOW)).start()
    shown = [phone.get(f"/my/q/{slug}/"), phone.get("/my/check/"), phone.post(f"/my/q/{slug}/", {})]
    phone.say(slug, "c1")
    phone.post("/my/send/")
    shown += [as_user(maya).get(f"/clients/{sam.pk}/intakes/{phone.sitting.pk}/")]
    issuing.begin(by=rosa, key="check-in", at=NOW)
    shown += [admin.get(f"/practice/forms/check-in/{each}") for each in pages]
    shown += [admin.get(f"/practice/forms/check-in/{each}") for each in ("", f"draft/q/{slug}/")]
    shown += [admin.get(f"/practice/forms/check-in/preview/?version=1.1&at={slug}&language=es")]
    for answer in shown:
        html = answer.content.decode()
        assert "<script>alert" not in html
        assert "\u202e" not in html
    for answer in (shown[0], shown[3], shown[-1]):
        assert escape(KEPT) in answer.content.decode()


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("text", "x" * 301, "This is too long. Keep it under 300 letters."),
        ("text", "x" * 10_000, "This is too long. Keep it under 300 letters."),
        ("text", "", "Write the question."),
        ("text", "\x00", "There is a character here that we cannot keep"),
        ("hint", "x" * 401, "This is too long. Keep it under 400 letters."),
        ("choices", "One", "Give at least two choices, one on each line."),
        ("choices", "Same\nSame", "Two choices read the same."),
        ("choices", "\n".join(map(str, range(21))), "Give at most 20 choices."),
        ("es_choices", "Sí", "Give one line for each of the 2 choices."),
        ("type", "html", "Select a valid choice"),
        ("type", "", "Choose what kind of answer you ask for."),
    ],
)
def test_wording_that_cannot_stand_is_refused_and_nothing_typed_is_lost(
    admin: Browser, rosa: User, field: str, value: str, said: str
) -> None:
    issuing.begin(by=rosa, key="check-in", at=NOW)
    form = {"version": 1, "text": "Kept words", "hint": "Kept hint", "type": "choice", "choices": "Yes\nNo"}
    answer = send(admin, "/practice/forms/check-in/draft/s/worry/ask/", form | {field: value})
    assert (answer.status_code, said in text_of(answer)) == (400, True)
    assert ("Kept words" if field != "text" else "Kept hint") in answer.content.decode()
    assert PacketDraft.objects.get(key="check-in").version == 1


def test_longest_question_is_taken(admin: Browser, rosa: User) -> None:
    issuing.begin(by=rosa, key="check-in", at=NOW)
    form = {"version": 1, "text": "x" * 300, "hint": "x" * 400, "type": "number", "minimum": 0, "maximum": 10}
    assert send(admin, "/practice/forms/check-in/draft/s/worry/ask/", form).status_code == 302
    again = send(admin, "/practice/forms/check-in/draft/s/worry/ask/", form | {"version": 2, "minimum": 10})
    assert "The largest number is above the smallest." in text_of(again)


# --- Spanish ---------------------------------------------------------------------------------------------------------


def test_own_question_is_said_in_the_spanish_that_was_given_or_stays_whole_in_english(
    sam: Client, maya: User, rosa: User, on_call: User
) -> None:
    said = Wording(
        text="How do you sleep?", type="choice", choices=("Well", "Badly"),
        told={"How do you sleep?": "¿Cómo duerme?", "Well": "Bien", "Badly": "Mal"},
    )  # fmt: skip
    half = Wording(
        text="And at noon?", type="choice", choices=("Yes", "Now and then"), told={"And at noon?": "¿Y a mediodía?"}
    )
    publish(rosa, "check-in", lambda rows: drafting.ask(drafting.ask(rows, "worry", said), "worry", half))
    told, untold = (page for page in packet.load("check-in").pages if page.own)
    with translation.override("es"):
        assert (spoken.of_text(told), spoken.spoken(told).text) == ("", "¿Cómo duerme?")
        assert [each.label for each in spoken.spoken(told).only.choices] == ["Bien", "Mal"]
        assert (spoken.of_text(untold), spoken.spoken(untold).text) == ("en", "And at noon?")
    Client.objects.filter(pk=sam.pk).update(language="es")
    sam.refresh_from_db()
    phone = Phone(actions.invite(by=maya, client=sam, key="check-in", at=NOW)).start()
    assert "todavía no la tenemos en español" in text_of(phone.get(f"/my/q/{untold.slug}/"))
    assert "todavía no" not in text_of(phone.get(f"/my/q/{told.slug}/"))


def test_waymarks_words_keep_their_spanish_when_the_practice_gives_another_question_other_words(rosa: User) -> None:
    """A translation that a practice writes never reaches a fixed question."""
    said = Wording(text="Well?", type="choice", choices=("Yes", "No"), told={"Yes": "<b>No</b>"})
    publish(rosa, "intake", lambda rows: drafting.ask(rows, "home", said))
    with translation.override("es"):
        page = spoken.spoken(packet.load("intake").by_slug["adult-stays"])
    assert page.only.choices[0].label == "Sí"


# --- Two people, twice, and the wrong one ----------------------------------------------------------------------------


def test_two_admins_publish_at_once_and_the_second_is_told_who_did(
    admin: Browser, rosa: User, as_user: Callable[[User], Browser], north: Any
) -> None:
    from practice.access import Role
    from tests import factories

    other = as_user(factories.staff("Ana Ruiz", Role.ADMIN, sites=(north,)))
    edit(rosa, "check-in", lambda rows: drafting.ask(rows, "worry", WORDS))
    url = "/practice/forms/check-in/draft/publish/"
    said = {"version": 2, "reason": "Sleep"}
    assert send(admin, url, said).status_code == 302
    late = other.post(url, {"form_key": "k" * 24, **said}, follow=True)
    assert "There is no draft now. The newest version is 1.1, published by Rosa Bell." in text_of(late)
    with pytest.raises(NotNow, match="published by Rosa Bell"):
        issuing.publish(by=rosa, key="check-in", seen=2, reason="Sleep", at=NOW)
    assert PacketVersion.objects.count() == 1


def test_change_of_a_draft_that_somebody_changed_meanwhile_is_refused_with_all_that_was_typed(
    admin: Browser, rosa: User
) -> None:
    issuing.begin(by=rosa, key="check-in", at=NOW)
    issuing.change(by=rosa, key="check-in", seen=1, act=lambda r: drafting.ask(r, "worry", WORDS), at=NOW)
    form = {"version": 1, "text": "Mine", "type": "words"}
    answer = send(admin, "/practice/forms/check-in/draft/s/worry/ask/", form)
    assert (answer.status_code, 'value="Mine"' in answer.content.decode()) == (400, True)
    assert "Rosa Bell changed this draft meanwhile" in text_of(answer)
    send(admin, "/practice/forms/check-in/draft/", {"version": 1, "act": "out:phq-9--1"})
    assert PacketDraft.objects.get().version == 2


def test_second_click_on_publish_and_begin_is_taken_once(admin: Browser, rosa: User) -> None:
    for _ in range(2):
        send(admin, "/practice/forms/check-in/begin/", key="b" * 24)
    assert PacketDraft.objects.count() == 1
    edit(rosa, "check-in", lambda rows: drafting.ask(rows, "worry", WORDS))
    for _ in range(2):
        answer = send(admin, "/practice/forms/check-in/draft/publish/", {"version": 2, "reason": "Sleep"}, key="p" * 24)
        assert (answer.status_code, answer["Location"]) == (302, "/practice/forms/check-in/")
    assert PacketVersion.objects.count() == 1


def test_publishing_asks_for_the_password_again_and_keeps_what_was_typed(admin: Browser, rosa: User) -> None:
    """Security check 30."""
    edit(rosa, "check-in", lambda rows: drafting.ask(rows, "worry", WORDS))
    assert admin.get("/practice/forms/check-in/draft/publish/").status_code == 200
    with time_machine.travel(NOW + timedelta(minutes=5, seconds=1), tick=False):
        answer = send(admin, "/practice/forms/check-in/draft/publish/", {"version": 2, "reason": "Sleep"})
    assert answer["Location"].startswith("/account/reauthenticate/")
    assert PacketVersion.objects.count() == 0
    assert ["reason", "Sleep"] in KeptForm.objects.get().fields


URLS = [
    "", "new/", "by-itself/", "check-in/", "check-in/draft/", "check-in/draft/name/", "check-in/draft/add/",
    "check-in/draft/publish/", "check-in/draft/q/gad-7--1/", "check-in/draft/s/", "check-in/draft/s/worry/",
    "check-in/draft/s/worry/ask/", "check-in/preview/",
]  # fmt: skip


@pytest.mark.parametrize("path", URLS)
def test_page_of_the_editor_is_for_admins(
    path: str, admin: Browser, rosa: User, maya: User, sol: User, fay: User, as_user: Callable[[User], Browser]
) -> None:
    issuing.begin(by=rosa, key="check-in", at=NOW)
    assert admin.get(f"/practice/forms/{path}").status_code == 200
    assert [as_user(who).get(f"/practice/forms/{path}").status_code for who in (maya, sol, fay)] == [403, 403, 403]


@pytest.mark.parametrize(
    "path",
    ["nothing/", "agreements/", "nothing/draft/", "nothing/preview/", "check-in/draft/q/nothing/",
     "check-in/draft/s/nothing/",
     "check-in/draft/s/nothing/ask/", "check-in/preview/?version=9"],
)  # fmt: skip
def test_page_of_what_is_not_there_is_unknown(path: str, admin: Browser, rosa: User) -> None:
    issuing.begin(by=rosa, key="check-in", at=NOW)
    assert admin.get(f"/practice/forms/{path}").status_code == 404


def test_draft_is_edited_by_its_buttons(admin: Browser, rosa: User) -> None:
    edit(rosa, "intake", lambda rows: rows)
    for act in (
        "down:story",
        "out:lost-time",
        "back:lost-time",
        "section-up:home",
        "nonsense",
        "up:nobody",
        "",
        "out:",
    ):
        version = PacketDraft.objects.get().version
        assert send(admin, "/practice/forms/intake/draft/", {"version": version, "act": act}).status_code == 302
    rows = PacketDraft.objects.get().rows
    reason = next(each for each in rows["sections"] if each["key"] == "reason")
    assert [fixed.name(row) for row in reason["pages"]][1:3] == ["hopes", "story"]
    keys = [each["key"] for each in rows["sections"]]
    assert keys.index("home") < keys.index("history")
    for version in ("", "x", "9" * 30, "-1"):
        answer = send(admin, "/practice/forms/intake/draft/", {"version": version, "act": "down:story"})
        assert answer.status_code == 302
    assert PacketDraft.objects.get().rows == rows


def test_list_of_packets_asks_the_same_of_the_database_with_three_own_packets_as_with_one(
    admin: Browser, rosa: User, django_assert_max_num_queries: Any
) -> None:
    def one(title: str) -> None:
        key = issuing.begin_new(by=rosa, title=title, at=NOW).key
        issuing.change(by=rosa, key=key, seen=1, act=lambda rows: pieces.add(rows, "i.gad-7"), at=NOW)
        issuing.publish(by=rosa, key=key, seen=2, reason="Why", at=NOW)

    def asked() -> int:
        admin.get("/practice/forms/")  # a version is read once in the life of a server
        with django_assert_max_num_queries(60) as found:
            assert admin.get("/practice/forms/").status_code == 200
        return len(found)

    one("First")
    before = asked()
    one("Second")
    one("Third")
    assert asked() == before


def test_draft_of_the_whole_intake_stays_under_a_dozen_queries_more_than_an_empty_page(
    admin: Browser, rosa: User, django_assert_max_num_queries: Any
) -> None:
    edit(rosa, "intake", lambda rows: rows)
    with django_assert_max_num_queries(14):
        admin.get("/practice/forms/intake/draft/")


def test_invitation_of_a_version_is_read_without_a_query_each(
    sam: Client, maya: User, rosa: User, on_call: User, django_assert_num_queries: Any
) -> None:
    publish(rosa, "check-in", lambda rows: drafting.ask(rows, "worry", WORDS))
    invitation = actions.invite(by=maya, client=sam, key="check-in", at=NOW)
    actions.packet_for(invitation)
    with django_assert_num_queries(0):
        assert actions.packet_for(Invitation(packet="check-in", packet_version="1.1")).version == "1.1"


def test_questions_that_were_left_out_since_are_not_sent_alone(
    sam: Client, maya: User, rosa: User, on_call: User
) -> None:
    publish(rosa, "intake", lambda rows: drafting.leave_out(rows, "b-ipf--1", out=True))
    with pytest.raises(NotNow, match="not part of your forms any more"):
        actions.invite(by=maya, client=sam, key="intake", only=["b-ipf--1", "b-ipf--2"], at=NOW)
    sent = actions.invite(by=maya, client=sam, key="intake", only=["b-ipf--1", "story"], at=NOW)
    assert list(actions.packet_for(sent).by_slug) == ["story"]


def test_instrument_that_is_asked_in_two_parts_says_which_part_each_row_is() -> None:
    rows = fixed.rows(packet.rows_of("check-in", "1"))
    assert [fixed.title(row) for row in rows] == [
        "Patient Health Questionnaire-9 (PHQ-9), questions 1 to 9",
        "Columbia-Suicide Severity Rating Scale (C-SSRS) Screener — Recent",
        "Patient Health Questionnaire-9 (PHQ-9), question 10",
        "Generalized Anxiety Disorder 7-item (GAD-7)",
    ]
