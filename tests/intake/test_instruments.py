"""Bring-your-own instruments (issue 5): entered with permission, scored by their facts, asked, skipped when it ends."""

import re
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from intake import actions, measures, packet
from intake.models import Assessment, Invitation, Measure
from practice import instruments
from practice.actions import NotNow
from practice.clinical import brought
from practice.clinical.instrument import build, load
from practice.clinical.scoring import score
from practice.models import (
    Alert,
    AuditEvent,
    Client,
    InstrumentDraft,
    InstrumentPermission,
    InstrumentVersion,
    Practice,
    Task,
    User,
)
from practice.signing import versions
from tests import factories
from tests.brought import PDF, drafted, permitted, published, wording
from tests.factories import NOW
from tests.intake.conftest import Phone, text_of

As = Callable[[User], Any]
Post = Callable[..., Any]
TODAY = NOW.date()
DAY = timedelta(days=1)
QIDS, WHO = "qids-sr16", "who-5"
ITEM12 = "qids-sr16--12"
HOSTILE = '<script>alert(1)</script> {{ secret }} {% load i18n %} %(label)s {0} "quoted"'

pytestmark = pytest.mark.usefixtures("clock")


def defined(key: str, **more: Any) -> Any:
    return build(brought.define(key, "1", {"en": wording(key, **more)}))


def answers(key: str, *values: int | None) -> dict[str, int | None]:
    return {brought.link_id(key, n): value for n, value in enumerate(values, 1)}


def spread(total: int, count: int, most: int, least: int = 0) -> list[int]:
    """So many answers that add up to `total`."""
    found, rest = [], total - least * count
    for _ in range(count):
        found.append(least + min(most - least, rest))
        rest -= found[-1] - least
    assert rest == 0
    return found


# --- The facts score it (both ends, both sides of each cut) ----------------------------------------------------------

SUMS = {  # key -> (answers, most of one, {total: band}); the bands of byo.toml, both sides of each cut
    "dast-10": (10, 1, {0: "none", 1: "low", 2: "low", 3: "moderate", 5: "moderate", 6: "substantial", 8: "substantial",
                        9: "severe", 10: "severe"}),
    "pq-16": (16, 1, {0: "negative", 5: "negative", 6: "positive", 16: "positive"}),
    "wsas": (5, 8, {0: "subclinical", 9: "subclinical", 10: "significant", 20: "significant", 21: "moderately_severe",
                    40: "moderately_severe"}),
    "cadss": (23, 4, {0: None, 46: None, 92: None}),
    "madrs": (10, 6, {0: None, 30: None, 60: None}),
    "isi": (7, 4, {0: "none", 7: "none", 8: "subthreshold", 14: "subthreshold", 15: "moderate", 21: "moderate",
                   22: "severe", 28: "severe"}),
}  # fmt: skip


@pytest.mark.parametrize(
    ("key", "total", "band"), [(key, total, band) for key, (_, _, cuts) in SUMS.items() for total, band in cuts.items()]
)
def test_sums_reach_both_ends_and_both_sides_of_each_cut(key: str, total: int, band: str | None) -> None:
    count, most, _cuts = SUMS[key]
    turned = key == "dast-10"
    found = score(defined(key, turned=turned), answers(key, *spread(total, count, most)))
    assert (found.total, found.band, found.complete) == (total, band, True)


def test_dast_question_3_counts_the_other_way_round_unless_the_wording_turned_it() -> None:
    given = answers("dast-10", *([0] * 10))
    assert [score(defined("dast-10", turned=turned), given).total for turned in (False, True)] == [1, 0]


@pytest.mark.parametrize(
    ("total", "band"),
    [(0, "none"), (5, "none"), (6, "mild"), (10, "mild"), (11, "moderate"), (15, "moderate"), (16, "severe"),
     (20, "severe"), (21, "very_severe"), (27, "very_severe")],
)  # fmt: skip
def test_qids_takes_the_highest_of_each_domain_on_both_sides_of_each_cut(total: int, band: str) -> None:
    first, fifth, sixth, *middle, last = spread(total, 9, 3)
    given = [first, 0, 0, 0, fifth, sixth, 0, 0, 0, *middle, last, 0]
    found = score(defined(QIDS), answers(QIDS, *given))
    assert (found.total, found.band) == (total, band)


@pytest.mark.parametrize(
    ("points", "total", "band"),
    [(0, 0, "likely_depression"), (7, 28, "likely_depression"), (8, 32, "poor"), (12, 48, "poor"), (13, 52, "good"),
     (25, 100, "good")],
)  # fmt: skip
def test_who5_is_the_sum_times_four(points: int, total: int, band: str) -> None:
    found = score(defined(WHO), answers(WHO, *spread(points, 5, 5)))
    assert (found.total, found.band) == (total, band)


@pytest.mark.parametrize(("points", "total"), [(14, 0), (42, 50), (43, 52), (70, 100)])
def test_q_les_q_is_a_share_of_the_first_fourteen(points: int, total: int) -> None:
    given = [*spread(points, 14, 5, least=1), 5, None]
    assert score(defined("q-les-q-sf"), answers("q-les-q-sf", *given)).total == total


@pytest.mark.parametrize(
    ("yes", "same", "problem", "band", "missing"),
    [
        (0, 0, 0, "negative", ()),
        (6, 1, 3, "negative", ()),
        (7, 1, 1, "negative", ()),
        (7, 1, 2, "positive", ()),
        (13, 1, 3, "positive", ()),
        (13, 0, 3, "negative", ()),
        (6, None, None, "negative", ()),
        (7, None, 3, None, ("mdq-14",)),
        (7, 1, None, None, ("mdq-15",)),
    ],
)
def test_mdq_needs_its_three_parts(
    yes: int, same: int | None, problem: int | None, band: str | None, missing: tuple[str, ...]
) -> None:
    found = score(defined("mdq"), answers("mdq", *spread(yes, 13, 1), same, problem))
    assert (found.total, found.band, found.missing) == (yes, band, missing)


@pytest.mark.parametrize("key", ["meq-30", "ies-eis"])
def test_what_nobody_here_can_score_has_no_total_and_no_band(key: str) -> None:
    asked = defined(key)
    found = score(asked, {item.link_id: item.options[-1].value for item in asked.items})
    assert (found.total, found.band, found.lower_bound, found.missing) == (None, None, None, ())


@pytest.mark.parametrize("key", sorted({*SUMS, "mdq", WHO, "q-les-q-sf"}))
def test_one_blank_leaves_the_total_open(key: str) -> None:
    """No rule for blanks was found in the sources: none is estimated."""
    asked = defined(key)
    given = {item.link_id: item.options[-1].value for item in asked.items}
    given[asked.scored_points[0][0]] = None
    found = score(asked, given)
    assert (found.total, found.estimated, found.missing) == (None, False, (asked.scored_points[0][0],))


def test_qids_bears_a_blank_beside_an_answer_of_the_same_domain() -> None:
    given = [1, None, 2, 0, *[1] * 12]
    assert score(defined(QIDS), answers(QIDS, *given)).total == 10
    given[0] = given[2] = given[3] = None
    assert score(defined(QIDS), answers(QIDS, *given)).total is None


@pytest.mark.parametrize(
    ("key", "number", "said", "flags"),
    [
        (QIDS, 12, 0, ()),
        (QIDS, 12, 1, ("positive",)),
        (QIDS, 12, 2, ("positive", "high")),
        (QIDS, 12, None, ("unanswered",)),
        ("madrs", 10, 1, ("positive",)),
        ("madrs", 10, 6, ("positive", "high")),
    ],
)
def test_a_suicide_item_raises_its_flag_whatever_the_total(
    key: str, number: int, said: int | None, flags: tuple[str, ...]
) -> None:
    """Law 1: never gated on a total; everything else is zero here."""
    given: list[int | None] = [0] * brought.facts(key)["items"]
    given[number - 1] = said
    found = score(defined(key), answers(key, *given))
    assert found.flags == tuple(f"{key.replace('-', '')}_item{number}_{flag}" for flag in flags)
    assert found.safety == ((brought.link_id(key, number), said),)


# --- What has to be typed --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", brought.known())
def test_every_instrument_of_the_data_file_is_entered_published_and_asked(
    key: str, rosa: User, as_user: As, post: Post, on_call: User, maya: User, sam: Client
) -> None:
    browser, facts = as_user(rosa), brought.facts(key)
    assert brought.wanting(key, {})[:2] == ["instructions", "notice"]
    data: dict[str, Any] = {"version": 0, "instructions": "Over the last week", "notice": "(c) Somebody"}
    data |= {f"item_{n}": f"Question words {n}" for n in range(1, facts["items"] + 1)}
    data |= {f"answer_{value}": f"Answer {value}" for value in facts.get("values", ())}
    if "values" not in facts:
        data["answers"] = "Never\r\nOften\r\nAlways"
    data |= {f"own_{n}": "\n".join(f"Own {value}" for value in own) for n, own in facts.get("own_values", {}).items()}
    data |= {"follow": "How bad?"} | {f"follow_{value}": f"Bad {value}" for value in facts.get("follow", ())}
    assert post(browser, reverse("instrument_wording", args=[key, "en"]), data).status_code == 302
    assert brought.wanting(key, InstrumentDraft.objects.get(instrument=key).wordings["en"]) == []
    permitted(rosa, key)
    page = browser.get(reverse("instrument_publish", args=[key]))
    assert "Question words 1" in page.content.decode()
    sent = post(browser, reverse("instrument_publish", args=[key]), {"reason": "First", "draft": 1})
    assert sent.status_code == 302
    found = load(key)
    assert (found.version, [item.text for item in found.items if not item.link_id.endswith("d")]) == (
        "1",
        [f"Question words {n}" for n in range(1, facts["items"] + 1)],
    )
    assert found in instruments.catalogue(NOW)
    phone = Phone(actions.invite(by=maya, client=sam, key=key, at=NOW)).start()
    for page_ in packet.load(key).pages:
        if page_.instrument == key and not page_.link_id.endswith("d"):
            assert phone.say(page_.slug, page_.only.choices[0].code).status_code == 303
    assert phone.post("/my/send/").url == "/my/done/"
    row = Assessment.objects.get(client=sam, instrument=key)
    assert (row.instrument_version, row.wording_sha256, row.complete) == ("1", found.wording_sha256, True)
    assert as_user(maya).get(reverse("assessment", args=[sam.pk, row.pk])).status_code == 200


def test_a_wording_is_kept_half_done_and_says_what_is_missing(rosa: User, as_user: As, post: Post) -> None:
    browser = as_user(rosa)
    post(browser, reverse("instrument_wording", args=[WHO, "en"]), {"version": 0, "item_2": "Second"})
    page = text_of(browser.get(reverse("instrument", args=[WHO])))
    assert "English: question 1" in page and "English: question 2" not in page
    permitted(rosa, WHO)
    refused = post(browser, reverse("instrument_publish", args=[WHO]), {"reason": "x", "draft": 1})
    assert (refused.status_code, InstrumentVersion.objects.count()) == (400, 0)
    assert "The wording is not complete yet." in text_of(refused)


@pytest.mark.parametrize(
    ("lines", "taken"),
    [("a\n\n\nd", True), ("a\nb\nc\nd", True), ("a\nb\nc", False), ("a\nb\nc\nd\ne", False), ("\nb\nc\nd", False)],
)
def test_own_answers_are_one_line_for_each_value(lines: str, taken: bool, rosa: User, as_user: As, post: Post) -> None:
    sent = post(as_user(rosa), reverse("instrument_wording", args=[QIDS, "en"]), {"version": 0, "own_4": lines})
    assert (sent.status_code, InstrumentDraft.objects.count()) == ((302, 1) if taken else (400, 0))


def test_an_answer_without_words_shows_its_number() -> None:
    asked = defined("wsas", answers=["Not at all", "", "", "", "", "", "", "", "Severely"])
    assert [option.label for option in asked.items[0].options] == ["Not at all", *"1234567", "Severely"]


def test_hostile_wording_reaches_pages_only_as_text(
    rosa: User, maya: User, sam: Client, on_call: User, as_user: As, post: Post
) -> None:
    """Issue 5: practice wording reaching pages only as text."""
    words = {
        **wording(WHO),
        "instructions": HOSTILE,
        "notice": HOSTILE,
        "items": [HOSTILE] * 5,
        "answers": [HOSTILE] * 6,
    }
    browser = as_user(rosa)
    drafted(rosa, WHO, words)
    permitted(rosa, WHO, holder=HOSTILE, reference=HOSTILE)
    shown = [browser.get(reverse(name, args=args)) for name, args in (
        ("instrument", [WHO]), ("instrument_wording", [WHO, "en"]), ("instrument_preview", [WHO]),
        ("instrument_publish", [WHO]),
    )]  # fmt: skip
    drafted(rosa, "pq-16", wording("pq-16", items=[HOSTILE] * 16, follow=HOSTILE, follow_answers=[HOSTILE] * 4))
    shown.append(browser.get(reverse("instrument_preview", args=["pq-16"])))
    instruments.publish(by=rosa, key=WHO, reason=HOSTILE, draft=1, at=NOW)
    phone = Phone(actions.invite(by=maya, client=sam, key=WHO, at=NOW)).start()
    for n in range(1, 6):
        shown.append(phone.get(f"/my/q/who-5--{n}/"))
        phone.say(f"who-5--{n}", "5")
    shown.append(phone.get("/my/check/"))
    phone.post("/my/send/")
    row = Assessment.objects.get(client=sam)
    shown += [browser.get(reverse("instrument_version", args=[WHO, 1])), browser.get(reverse("instruments_page"))]
    shown.append(as_user(maya).get(reverse("assessment", args=[sam.pk, row.pk])))
    assert {answer.status_code for answer in shown} == {200}
    pages = [answer.content.decode() for answer in shown]
    assert [page for page in pages if "<script>alert" in page] == []
    assert (
        sum("&lt;script&gt;alert(1)&lt;/script&gt; {{ secret }} {% load i18n %} %(label)s {0}" in p for p in pages)
        >= 10
    )


def test_characters_that_cannot_be_kept_are_refused(rosa: User, as_user: As, post: Post) -> None:
    url = reverse("instrument_wording", args=[WHO, "en"])
    assert post(as_user(rosa), url, {"version": 0, "item_1": "a\x00b"}).status_code == 400
    assert post(as_user(rosa), url, {"version": 0, "item_1": "x" * 4001}).status_code == 400
    assert InstrumentDraft.objects.count() == 0


# --- Two people, two presses, the wrong one --------------------------------------------------------------------------


def test_two_admins_never_overwrite_each_other(rosa: User, as_user: As, post: Post) -> None:
    first, second = as_user(rosa), as_user(factories.staff("Ada Bern", "admin"))
    url = reverse("instrument_wording", args=[WHO, "en"])
    assert post(first, url, {"version": 0, "item_1": "Theirs"}).status_code == 302
    lost = post(second, url, {"version": 0, "item_1": "Mine"})
    assert (lost.status_code, "Mine" in text_of(lost), "Theirs" in text_of(lost)) == (409, True, True)
    assert InstrumentDraft.objects.get().wordings["en"]["items"][0] == "Theirs"
    assert post(second, url, {"version": 1, "item_1": "Mine"}).status_code == 302
    assert InstrumentDraft.objects.get().wordings["en"]["items"][0] == "Mine"


def test_what_is_published_is_what_was_read(rosa: User) -> None:
    permitted(rosa, WHO)
    drafted(rosa, WHO)
    drafted(rosa, WHO, wording(WHO, "Other"))
    with pytest.raises(NotNow, match="Somebody changed the wording meanwhile"):
        instruments.publish(by=rosa, key=WHO, reason="x", draft=1, at=NOW)


def test_two_permissions_at_once_leave_one(rosa: User) -> None:
    first = permitted(rosa, WHO, file=PDF)
    with pytest.raises(NotNow, match="Somebody wrote down another permission meanwhile"):
        permitted(rosa, WHO)
    second = permitted(rosa, WHO, NOW + DAY, replaces=str(first.pk), holder="The next holder")
    first.refresh_from_db()
    assert (first.ended_at, first.ended_by, bytes(second.file)) == (NOW + DAY, rosa, PDF)
    assert instruments.standing(WHO) == second


def test_second_press_publishes_once_and_ends_once(rosa: User, as_user: As, post: Post) -> None:
    browser = as_user(rosa)
    permitted(rosa, WHO)
    drafted(rosa, WHO)
    url, data, key = reverse("instrument_publish", args=[WHO]), {"reason": "First", "draft": 1}, "k" * 30
    assert [post(browser, url, data, key).status_code for _ in range(2)] == [302, 302]
    again = post(browser, url, data)
    assert (again.status_code, "This wording is published already." in text_of(again)) == (400, True)
    end = reverse("instrument_end", args=[WHO])
    assert [post(browser, end, {"words": "Taken back"}).status_code for _ in range(2)] == [302, 302]
    found = AuditEvent.objects.filter(action__startswith="instrument.").order_by("seq")
    assert [event.action for event in found] == [
        "instrument.permission", "instrument.worded", "instrument.published", "instrument.permission_ended",
    ]  # fmt: skip


PAGES = {
    "instruments_page": [], "instrument": [WHO], "instrument_wording": [WHO, "en"], "instrument_preview": [WHO],
    "instrument_permission": [WHO], "instrument_end": [WHO], "instrument_publish": [WHO],
    "instrument_version": [WHO, 1],
}  # fmt: skip


@pytest.mark.parametrize("who", ["maya", "sol", "pax", "fay"])
def test_only_an_admin_comes_here(who: str, rosa: User, as_user: As, post: Post, request: Any) -> None:
    published(rosa, WHO, file=PDF)
    held = InstrumentPermission.objects.get()
    browser = as_user(request.getfixturevalue(who))
    urls = [reverse(name, args=args) for name, args in PAGES.items()]
    urls.append(reverse("instrument_file", args=[WHO, held.pk]))
    assert {browser.get(url).status_code for url in urls} == {403}
    assert {post(browser, url, {"words": "x", "reason": "x", "draft": 1}).status_code for url in urls} == {403}
    held.refresh_from_db()
    assert (held.ended_at, InstrumentVersion.objects.count()) == (None, 1)


def test_sensitive_acts_ask_for_the_password_again(rosa: User, as_user: As, clock: Any) -> None:
    """Security check 30: what lets clients be asked, and what stops it, wants a fresh sign-in."""
    published(rosa, WHO)
    browser = as_user(rosa)
    names = ("instrument_permission", "instrument_end", "instrument_publish")
    assert [browser.get(reverse(name, args=[WHO])).status_code for name in names] == [200] * 3
    clock.shift(timedelta(minutes=6))
    answers_ = [browser.get(reverse(name, args=[WHO])) for name in names]
    assert {(a.status_code, a.url.partition("?")[0]) for a in answers_} == {(302, reverse("account_reauthenticate"))}


def test_what_is_not_here_is_not_found(rosa: User, as_user: As) -> None:
    browser = as_user(rosa)
    permission = permitted(rosa, WHO)
    urls = [
        reverse("instrument", args=["phq-9"]),
        reverse("instrument_wording", args=[WHO, "de"]),
        reverse("instrument_preview", args=[WHO]),
        reverse("instrument_publish", args=[WHO]),
        reverse("instrument_version", args=[WHO, 1]),
        reverse("instrument_file", args=[WHO, permission.pk]),
        reverse("instrument_file", args=[QIDS, permission.pk]),
    ]
    assert [browser.get(url).status_code for url in urls] == [404] * len(urls)


# --- Versions --------------------------------------------------------------------------------------------------------


def test_a_correction_is_the_next_version_and_old_answers_keep_their_words(
    rosa: User, maya: User, sam: Client, on_call: User, as_user: As
) -> None:
    first = published(rosa, WHO)
    frozen = (first.sha256, first.definition)
    phone = Phone(actions.invite(by=maya, client=sam, key=WHO, at=NOW)).start()
    draft = drafted(rosa, WHO, wording(WHO, "Corrected"))
    second = instruments.publish(by=rosa, key=WHO, reason="A misprint", draft=draft.version, at=NOW)
    for n in range(1, 6):
        phone.say(f"who-5--{n}", "3")
    phone.post("/my/send/")
    row = Assessment.objects.get(client=sam)
    assert (second.number, row.instrument_version, packet.load(WHO).version) == (2, "1", "2")
    first.refresh_from_db()
    assert (first.sha256, first.definition) == frozen and instruments.digest(first.definition) == first.sha256
    page = text_of(as_user(maya).get(reverse("assessment", args=[sam.pk, row.pk])))
    assert "Words 1" in page and "Corrected" not in page


def test_a_published_instrument_asks_for_the_clinical_signature_again(rosa: User) -> None:
    before = versions()["instruments"]
    published(rosa, WHO)
    during = versions()["instruments"]
    instruments.end_permission(by=rosa, key=WHO, words="Taken back", at=NOW + DAY)
    assert before != during and versions()["instruments"] == before


# --- The permission --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("days", "open_"), [(-1, True), (0, True), (1, False)])
def test_the_last_day_is_the_last_day(days: int, open_: bool, rosa: User, clock: Any) -> None:
    """Both sides of the end, by the practice's own calendar: asked until midnight there."""
    last = TODAY + 10 * DAY
    published(rosa, WHO, expires_on=last)
    at = NOW + (10 + days) * DAY
    assert (WHO in {each.key for each in instruments.catalogue(at)}, instruments.closed([WHO], at)) == (
        open_,
        frozenset() if open_ else frozenset({WHO}),
    )
    clock.move_to(at)
    assert InstrumentPermission.objects.get().has_run_out(at.date()) is not open_


def test_the_day_is_that_of_the_practice(rosa: User) -> None:
    published(rosa, WHO, expires_on=date(2026, 12, 31))
    Practice.objects.update(zone="America/New_York")
    late = datetime.fromisoformat("2027-01-01T04:59:00+00:00")
    assert instruments.closed([WHO], late) == frozenset()
    assert instruments.closed([WHO], late + timedelta(minutes=1)) == {WHO}


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("holder", "", "Write who holds the rights and gave the permission."),
        ("reference", " ", "Write where the permission can be found."),
        ("granted_on", (TODAY + DAY).isoformat(), "This day has not come yet. Write it down when it has."),
        ("expires_on", (TODAY - DAY).isoformat(), "This day is past: the permission would have run out already."),
        ("mine", "", "Tick this once you have read the permission."),
        ("file", b"MZ not a pdf", "That file is not a PDF. Save the permission as PDF and send it again."),
    ],
)
def test_a_permission_is_whole_or_not_kept(
    field: str, value: Any, sentence: str, rosa: User, as_user: As, post: Post
) -> None:
    said = {"holder": "Somebody", "reference": "Folder", "granted_on": TODAY.isoformat(), "mine": "on"} | {field: value}
    if field == "file":
        said["file"] = SimpleUploadedFile("permission.pdf", value, "application/pdf")
    refused = post(as_user(rosa), reverse("instrument_permission", args=[WHO]), said)
    assert (refused.status_code, sentence in text_of(refused), InstrumentPermission.objects.count()) == (400, True, 0)


def test_the_pdf_is_kept_sealed_and_given_out_as_a_file(rosa: User, as_user: As, post: Post) -> None:
    browser = as_user(rosa)
    said = {"holder": "Somebody", "reference": "Folder", "granted_on": TODAY.isoformat(), "mine": "on"}
    said |= {"expires_on": TODAY.isoformat(), "translations": ["es"], "file": SimpleUploadedFile("<b>.pdf", PDF)}
    assert post(browser, reverse("instrument_permission", args=[WHO]), said).status_code == 302
    row = InstrumentPermission.objects.get()
    assert (row.languages, row.expires_on, row.stated_by, row.reference) == (["es"], TODAY, rosa, "Folder")
    answer = browser.get(reverse("instrument_file", args=[WHO, row.pk]))
    assert (answer.content, answer["Content-Type"]) == (PDF, "application/pdf")
    assert answer["Content-Disposition"] == f'attachment; filename="permission-who-5-{TODAY}.pdf"'
    with connection.cursor() as cursor:
        cursor.execute("SELECT file, reference FROM practice_instrumentpermission")
        assert [PDF in bytes(cell) or b"Folder" in bytes(cell) for cell in cursor.fetchone()] == [False, False]


def test_without_a_permission_nothing_is_published(rosa: User) -> None:
    draft = drafted(rosa, WHO)
    with pytest.raises(NotNow, match="Write down the permission first"):
        instruments.publish(by=rosa, key=WHO, reason="x", draft=draft.version, at=NOW)
    permitted(rosa, WHO, expires_on=TODAY)
    with pytest.raises(NotNow, match="Write down the permission first"):
        instruments.publish(by=rosa, key=WHO, reason="x", draft=draft.version, at=NOW + DAY)
    assert instruments.publish(by=rosa, key=WHO, reason="x", draft=draft.version, at=NOW).number == 1


# --- When it has ended -----------------------------------------------------------------------------------------------


def end(rosa: User, key: str, at: datetime = NOW) -> None:
    instruments.end_permission(by=rosa, key=key, words="Taken back", at=at)


def test_nobody_is_invited_once_it_has_ended(rosa: User, maya: User, sam: Client, on_call: User, as_user: As) -> None:
    published(rosa, WHO)
    url = reverse("client_invite", args=[sam.pk])
    assert "WHO-5" in text_of(as_user(maya).get(url))
    end(rosa, WHO)
    assert "WHO-5" not in text_of(as_user(maya).get(url))
    with pytest.raises(NotNow, match="The permission to ask these questions has ended"):
        actions.invite(by=maya, client=sam, key=WHO, at=NOW)


def test_a_running_form_goes_on_without_it_in_plain_words(
    rosa: User, maya: User, sam: Client, on_call: User, as_user: As
) -> None:
    published(rosa, QIDS)
    phone = Phone(actions.invite(by=maya, client=sam, key=QIDS, at=NOW)).start()
    for n in (1, 2, 3):
        phone.say(f"qids-sr16--{n}", "1")
    end(rosa, QIDS)
    assert phone.post("/my/q/qids-sr16--4/", {"answer": "1"}).url == "/my/check/"
    page = text_of(phone.get("/my/check/"))
    assert "Some questions of this form are not asked any more. That is not because of you" in page
    assert "Words 3" in page and "Words 4" not in page
    assert phone.post("/my/send/").url == "/my/done/"
    row = Assessment.objects.get(client=sam)
    assert (row.total, row.complete, row.answers) == (None, False, answers(QIDS, 1, 1, 1))
    assert Alert.objects.count() == 0  # a question that may not be asked is no blank
    read = text_of(as_user(maya).get(reverse("assessment", args=[sam.pk, row.pk])))
    assert "Words 3" in read and "Not scored" in read


def test_a_form_that_asks_nothing_any_more_says_so_and_reminds_nobody(
    rosa: User, maya: User, sam: Client, on_call: User
) -> None:
    published(rosa, WHO)
    phone = Phone(actions.invite(by=maya, client=sam, key=WHO, at=NOW)).start()
    end(rosa, WHO)
    answer = phone.get("/my/check/")
    assert (answer.status_code, "are not asked any more" in text_of(answer)) == (200, True)
    assert actions.chase(at=NOW + 2 * DAY) == 0
    assert Invitation.objects.get(packet=WHO).state == Invitation.State.WITHDRAWN


def test_a_planned_measure_is_not_sent_and_staff_are_told(rosa: User, maya: User, sam: Client, on_call: User) -> None:
    published(rosa, WHO, expires_on=TODAY + 3 * DAY)
    for days in (1, 5):
        measures.plan(sam, WHO, Measure.Why.PLAN, NOW + days * DAY, at=NOW)
    assert measures.send_due(at=NOW + DAY) == 1
    assert measures.send_due(at=NOW + 5 * DAY) == 0
    assert Task.objects.filter(client=sam, kind="todo").count() == 1


# --- Asked like any other --------------------------------------------------------------------------------------------


def test_a_suicide_answer_pages_at_once_and_opens_the_further_questions(
    rosa: User, maya: User, sam: Client, on_call: User, as_user: As
) -> None:
    """Law 1: raised in the save of the answer, before any total."""
    published(rosa, QIDS)
    phone = Phone(actions.invite(by=maya, client=sam, key=QIDS, at=NOW)).start()
    assert "988" in text_of(phone.get(f"/my/q/{ITEM12}/"))
    assert phone.say(ITEM12, "2").url == "/my/support/"
    flag = Alert.objects.get()
    assert (flag.severity, flag.rule_ids) == ("urgent", ["own-item"])
    assert [(row["question"], row["answer"]) for row in flag.answers] == [("Words 12", "Words is 2")]
    assert "cssrs-screener-recent--1" in text_of_links(phone.get("/my/support/"))
    said = text_of(as_user(maya).get(reverse("alert", args=[sam.pk, flag.pk])))
    assert "Words 12" in said and "own-item" not in said
    phone.say(ITEM12, "0")
    flag.refresh_from_db()
    assert (flag.severity, flag.is_open) == ("urgent", True)


def text_of_links(answer: Any) -> str:
    return " ".join(re.findall(r'href="([^"]+)"', answer.content.decode()))


@pytest.mark.parametrize(
    ("said", "severity", "rules"), [("1", "priority", ["own-item"]), ("0", None, []), (None, "priority", ["SR-07"])]
)
def test_what_a_suicide_answer_fires(
    said: str | None, severity: str | None, rules: list[str], rosa: User, maya: User, sam: Client, on_call: User
) -> None:
    published(rosa, QIDS)
    phone = Phone(actions.invite(by=maya, client=sam, key=QIDS, at=NOW)).start()
    phone.say(ITEM12, said) if said is not None else phone.skip(ITEM12)
    flag = Alert.objects.first()
    assert (flag.severity if flag else None, flag.rule_ids if flag else []) == (severity, rules)


def test_a_suicide_item_left_out_flags_when_the_form_is_sent(
    rosa: User, maya: User, sam: Client, on_call: User
) -> None:
    published(rosa, QIDS)
    phone = Phone(actions.invite(by=maya, client=sam, key=QIDS, at=NOW)).start()
    phone.say("qids-sr16--1", "0")
    assert Alert.objects.count() == 0
    phone.post("/my/send/")
    assert Alert.objects.get().rule_ids == ["SR-07"]


def test_spanish_wording_is_shown_where_the_permission_covers_it_else_english_with_a_sentence(
    rosa: User, maya: User, sam: Client, on_call: User
) -> None:
    sam.language = "es"
    sam.save()
    held = permitted(rosa, WHO)
    drafted(rosa, WHO)
    draft = drafted(rosa, WHO, wording(WHO, "Palabras"), "es")
    with pytest.raises(NotNow, match="does not say that it covers the translation"):
        instruments.publish(by=rosa, key=WHO, reason="x", draft=draft.version, at=NOW)
    permitted(rosa, WHO, replaces=str(held.pk), languages=["es"])
    instruments.publish(by=rosa, key=WHO, reason="x", draft=draft.version, at=NOW)
    phone = Phone(actions.invite(by=maya, client=sam, key=WHO, at=NOW)).start()
    phone.browser.get("/my/", headers={"accept-language": "es"})
    page = phone.get("/my/q/who-5--1/").content.decode()
    assert "Palabras 1" in page and "Words 1" not in page and "Palabras of the owner" in page
    assert "traducción oficial" not in page
    for n in range(1, 6):
        phone.say(f"who-5--{n}", "5")
    phone.post("/my/send/")
    row = Assessment.objects.get(client=sam)
    assert (row.total, row.wording_sha256) == (100, load(WHO).said_in("es").wording_sha256)
    assert row.wording_sha256 != load(WHO).wording_sha256


def test_without_spanish_wording_the_english_stands_with_the_sentence(
    rosa: User, maya: User, sam: Client, on_call: User
) -> None:
    sam.language = "es"
    sam.save()
    published(rosa, WHO)
    phone = Phone(actions.invite(by=maya, client=sam, key=WHO, at=NOW)).start()
    page = phone.get("/my/q/who-5--1/").content.decode()
    assert "Words 1" in page and 'lang="en"' in page and "traducción oficial" in page


def test_history_is_imported_with_its_flags(rosa: User, sam: Client, tmp_path: Any) -> None:
    published(rosa, QIDS)
    file = tmp_path / "qids.csv"
    names = [f"q{n}" for n in range(1, 17)]
    lines = [",".join(["id", "day", *names])]
    lines += [f"{sam.number},2025-03-0{day}," + ",".join(["0"] * 11 + [said] + ["0"] * 4) for day, said in
              ((1, "0"), (2, "1"), (3, "2"), (4, "9"))]  # fmt: skip
    file.write_text("\n".join(lines))
    call_command(
        "import_assessments", str(file), instrument=QIDS, columns=",".join(names), day="day", client="id", verbosity=0
    )
    found = Alert.objects.order_by("opened_at").values_list("source", "severity", "rules")
    assert [(source, severity, [rule["id"] for rule in rules]) for source, severity, rules in found] == [
        ("history", "priority", ["own-item"]),
        ("history", "urgent", ["own-item"]),
        ("history", "priority", ["SR-07"]),
    ]
    assert Assessment.objects.filter(client=sam, instrument=QIDS).count() == 4


def test_scores_of_a_brought_instrument_are_charted(
    rosa: User, maya: User, sam: Client, on_call: User, as_user: As, clock: Any
) -> None:
    for key in (QIDS, "cadss"):
        published(rosa, key)
    for key, value in ((QIDS, "1"), ("cadss", "2")):
        phone = Phone(actions.invite(by=maya, client=sam, key=key, at=NOW)).start()
        for page in packet.load(key).pages:
            if page.instrument == key and page.link_id != "qidssr16-12":
                phone.say(page.slug, value)
        phone.say(ITEM12, "0") if key == QIDS else None
        phone.post("/my/send/")
    page = as_user(maya).get(reverse("chart", args=[sam.pk])).content.decode()
    assert 'id="qids-sr16-z' in page and 'id="cadss-z' in page
    assert "CADSS" in page and "QIDS-SR16" in page


def test_the_trial_scores_and_keeps_nothing(rosa: User, as_user: As, post: Post) -> None:
    drafted(rosa, QIDS)
    url, browser = reverse("instrument_preview", args=[QIDS]), as_user(rosa)
    page = text_of(browser.get(url))
    assert "Words above" in page and "Words 16" in page and "Words of the owner" in page and "988" in page
    said = text_of(post(browser, url, {f"qidssr16-{n}": "1" for n in range(1, 17)}))
    assert "9 of 27 , Mild" in said and "QIDS-SR16 question 12 (thoughts of suicide) is above zero." in said
    blank = text_of(post(browser, url, {"qidssr16-1": "1"}))
    assert "No total" in blank and "15 answers are missing." in blank
    assert post(browser, url, {"qidssr16-1": "7"}).status_code == 400
    assert (Assessment.objects.count(), Alert.objects.count()) == (0, 0)


def test_the_list_says_what_ships_and_where_each_brought_one_stands(rosa: User, as_user: As, clock: Any) -> None:
    published(rosa, WHO, expires_on=TODAY + DAY)
    drafted(rosa, "isi")
    published(rosa, "wsas")
    end(rosa, "wsas")
    page = text_of(as_user(rosa).get(reverse("instruments_page")))
    for words in (
        "No permission required to reproduce, translate, display or distribute",
        f"In use, version 1, until {(TODAY + DAY):%b} {(TODAY + DAY).day}",
        "Wording begun; no permission is written down.",
        "The permission has ended. Nobody is asked.",
        "Not brought.",
    ):
        assert words in page
    clock.move_to(NOW + 2 * DAY)
    assert "The permission ran out on" in text_of(as_user(rosa).get(reverse("instruments_page")))


def test_the_list_asks_the_database_the_same_however_many_there_are(rosa: User, as_user: As) -> None:
    browser, counts = as_user(rosa), []
    browser.get(reverse("instruments_page"))
    for keys in ((WHO,), ("isi", "wsas")):
        for key in keys:
            published(rosa, key)
        with CaptureQueriesContext(
            connection,
        ) as asked:
            browser.get(reverse("instruments_page"))
        counts.append(len(asked))
    assert counts[0] == counts[1]


def test_a_form_of_ours_asks_the_database_nothing_about_permissions(check_in: Phone, rosa: User) -> None:
    published(rosa, WHO)
    with CaptureQueriesContext(connection) as asked:
        check_in.get("/my/q/phq-9--1/")
    assert [row["sql"] for row in asked if "instrumentpermission" in row["sql"].lower()] == []


def test_publishing_is_written_with_who_and_why(rosa: User) -> None:
    row = published(rosa, WHO)
    event = AuditEvent.objects.get(action="instrument.published")
    assert (row.reason, row.published_by, row.published_at, row.permission.holder) == (
        "First version", rosa, NOW, "The Holder of Rights",
    )  # fmt: skip
    assert (event.actor_id, event.at, event.facts) == (rosa.pk, NOW, {"instrument": WHO, "version": 1})
