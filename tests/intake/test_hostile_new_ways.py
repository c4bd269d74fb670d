"""The new ways in, attacked: entered by staff, begun by oneself, own packets, brought instruments, pauses, texts."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client as Browser
from django.urls import reverse

from intake import actions, arrivals, behalf, drafting, fixed, flow, handing, issuing, measures, pauses, pieces, shares
from intake.drafting import Wording
from intake.models import Assessment, Intake, Measure, PacketDraft
from intake.models.packets import TRIES
from intake.views import my_answers
from practice import instruments
from practice.actions import NotNow
from practice.models import Alert, Client, Notice, PublicPages, Site, Task, User
from tests import factories, sittings
from tests.brought import published
from tests.conftest import send
from tests.factories import NOW
from tests.homes import at_home
from tests.intake.conftest import Phone, text_of

As = Callable[[User], Browser]
pytestmark = pytest.mark.usefixtures("clock")


@pytest.fixture
def pages(north: Site, on_call: User) -> PublicPages:
    return PublicPages.objects.create(pk=1, starts_open=True, starts_site=north)


# --- The ASQ in a packet of the practice's own -----------------------------------------------------------------------


def asked_asq(rosa: User, maya: User, sam: Client) -> Phone:
    draft = issuing.begin_new(by=rosa, title="Screen", at=NOW)
    key = draft.key
    draft = issuing.change(by=rosa, key=key, seen=1, act=lambda rows: pieces.add(rows, "i.asq"), at=NOW)
    issuing.publish(by=rosa, key=key, seen=draft.version, reason="We ask everyone", at=NOW)
    return Phone(actions.invite(by=maya, client=sam, key=key, at=NOW)).start()


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ({"1": "0"}, []),
        ({"1": "1"}, [("priority", ["SR-03"])]),
        ({"1": "0", "4": "1"}, [("priority", ["SR-03"])]),
        ({"1": "1", "2": "0", "5": "1"}, [("urgent", ["SR-03", "SR-02"])]),
        ({"1": None}, [("priority", ["SR-07"])]),
    ],
)
def test_each_answer_of_the_asq_raises_its_flag_at_once(
    said: dict[str, str | None], wanted: Any, rosa: User, maya: User, sam: Client, on_call: User
) -> None:
    """Security check 76: in the transaction of the answer, whatever comes after it."""
    phone = asked_asq(rosa, maya, sam)
    for item, value in said.items():
        if value is None:
            phone.skip(f"asq--{item}")
        else:
            phone.say(f"asq--{item}", value)
    found = Alert.objects.filter(source_id=phone.sitting.pk)
    assert [(alert.severity, alert.rule_ids) for alert in found] == wanted


# --- Entered by staff ------------------------------------------------------------------------------------------------


def enters(browser: Browser, sitting: Intake, page: str, answer: str) -> Any:
    return send(browser, reverse("fill_in_page", args=[sitting.client_id, sitting.pk, page]), {"answer": answer})


def test_safety_sign_that_staff_enter_after_handing_in_raises_its_flag(
    sam: Client, maya: User, on_call: User, as_user: As
) -> None:
    """Law 1: a second window of the person who writes it down loses no safety answer."""
    browser = as_user(maya)
    sitting = behalf.begin(by=maya, client=sam, key="check-in", how="phone", at=NOW)
    enters(browser, sitting, "phq-9--9", "0")
    assert behalf.hand_in(by=maya, sitting=sitting, at=NOW) is None
    answer = enters(browser, sitting, "phq-9--9", "2")
    assert answer["Location"] == reverse("intake_read", args=[sam.pk, sitting.pk])
    assert [(flag.client, flag.severity) for flag in Alert.objects.filter(source_id=sitting.pk)] == [(sam, "urgent")]
    assert "who is on call is told" in text_of(browser.get(answer["Location"]))
    again = enters(browser, sitting, "phq-9--1", "1")
    assert "handed in already. This answer was not added" in text_of(browser.get(again["Location"]))
    assert flow.value_of(actions.replies_of(sitting), "phq-9--9") == 0


@pytest.mark.parametrize("way", ["device", "staff"])
def test_form_begun_at_the_practice_and_left_is_shown_to_staff(
    way: str, sam: Client, maya: User, on_call: User, as_user: As
) -> None:
    """Law 1: of a form that stops before its safety question somebody hears, also where no message went out."""
    if way == "staff":
        sitting = behalf.begin(by=maya, client=sam, key="check-in", how="phone", at=NOW)
        enters(as_user(maya), sitting, "phq-9--1", "3")
    else:
        phone = Phone(handing.prepare(by=maya, client=sam, key="check-in", at=NOW)).start()
        phone.say("phq-9--1", "3")
    before = Notice.objects.count()
    for days in (2, 5, 6):
        assert actions.chase(at=NOW + timedelta(days=days)) == 0
    assert Task.objects.filter(client=sam, kind="unfinished").count() == 0
    for _ in range(2):
        actions.chase(at=NOW + timedelta(days=7))
    assert Task.objects.filter(client=sam, kind="unfinished", done_at=None).count() == 1
    assert Notice.objects.count() == before


# --- A brought instrument whose permission ends ----------------------------------------------------------------------


@pytest.mark.parametrize("way", ["press", "script", "staff"])
def test_suicide_answer_on_the_screen_when_the_permission_ends_is_kept(
    way: str, sam: Client, rosa: User, maya: User, on_call: User, as_user: As
) -> None:
    """Law 1: nobody is asked from then on, but what was asked before and is answered now is heard."""
    published(rosa, "qids-sr16")
    if way == "staff":
        sitting = behalf.begin(by=maya, client=sam, key="qids-sr16", how="room", at=NOW)
    else:
        phone = Phone(actions.invite(by=maya, client=sam, key="qids-sr16", at=NOW)).start()
        sitting = phone.sitting
    instruments.end_permission(by=rosa, key="qids-sr16", words="Taken back", at=NOW)
    if way == "staff":
        enters(as_user(maya), sitting, "qids-sr16--12", "2")
    elif way == "press":
        assert phone.say("qids-sr16--12", "2").url == "/my/support/"
    else:
        assert phone.post("/my/save/qids-sr16--12/", {"answer": "2"}).status_code == 204
    assert flow.value_of(actions.replies_of(sitting), "qids-sr16--12") == 2
    assert Alert.objects.get(source_id=sitting.pk).severity == "urgent"


# --- Begun by oneself ------------------------------------------------------------------------------------------------

NOOR = {"name": "Noor Vale", "birth_date": "1991-03-08", "channel": "sms", "address": "+1 202 555 0177"}


def test_nobody_is_pestered_with_codes_by_pressing_again(pages: PublicPages) -> None:
    """Security check 25: a day of pressing, from one browser or several, is four messages to one phone."""
    row = arrivals.begin(said=NOOR, language="en", origin="192.0.2.7", at=NOW)
    for minute in range(1, 60):
        arrivals.send_code(arrival=row, at=NOW + timedelta(minutes=minute))
    other = arrivals.begin(said=NOOR, language="en", origin="198.51.100.4", at=NOW + timedelta(hours=2))
    assert (other.code_sent_at, Notice.objects.filter(template="code").count()) == (None, arrivals.MOST_CODES)


def test_code_is_not_guessed_in_a_second_browser_once_it_was_used(pages: PublicPages) -> None:
    row = arrivals.begin(said=NOOR, language="en", origin="192.0.2.7", at=NOW)
    code = (Notice.objects.get(template="code").words or {})["code"]
    assert arrivals.confirm(arrival=row, code=code, at=NOW) is not None
    for _ in range(TRIES):
        assert arrivals.confirm(arrival=row, code="x", at=NOW) is None
    assert arrivals.confirm(arrival=row, code=code, at=NOW) is None


# --- Shared numbers --------------------------------------------------------------------------------------------------


def took(sam: Client, total: int, at: datetime, **fields: Any) -> None:
    row = sittings.sitting(sam, at, packet="check-in")
    sittings.answered(row, at, **{"phq-9--1": 1})
    sittings.assessed(row, "phq-9", sittings.phq9_of(total, 0))
    Assessment.objects.filter(intake=row).update(**fields)


def test_number_of_the_same_day_waits_until_it_is_shared(sam: Client, maya: User, clock: Any) -> None:
    """Law 2: nobody is shown a score that no clinician chose to show, be it of today, or imported for an older day."""
    took(sam, 11, NOW - timedelta(weeks=3))
    first_on, today = date(2026, 10, 1), date(2026, 11, 19)
    row = shares.share(
        by=maya, client=sam, instrument="phq-9", first_on=first_on, last_on=today, words="Lighter.", at=NOW
    )
    took(sam, 24, NOW + timedelta(hours=1))
    took(sam, 23, NOW - timedelta(weeks=1), imported_at=NOW + timedelta(hours=1))
    clock.shift(timedelta(hours=2))
    page = text_of(at_home(sam).get("/my/answers/"))
    assert ("your answers came to 11." in page, "24" in page, "23 on" in page) == (True, False, False)
    assert my_answers.card(row)["words"][0] == "On Oct 29, 2026 your answers came to 11."


def test_shared_number_that_went_back_to_another_record_shows_nothing(sam: Client, maya: User) -> None:
    took(sam, 11, NOW - timedelta(weeks=3))
    shares.share(by=maya, client=sam, instrument="phq-9", first_on=date(2026, 10, 1), last_on=date(2026, 11, 19),
                 words="Lighter.", at=NOW)  # fmt: skip
    Assessment.objects.update(client=factories.client(maya, "Noor Vale"))  # what undoing a merge does
    page = at_home(sam).get("/my/answers/")
    assert (page.status_code, "came to" in text_of(page)) == (200, False)


# --- Pauses ----------------------------------------------------------------------------------------------------------


def test_check_ins_of_a_later_decision_are_not_held_without_a_word(sam: Client, maya: User, on_call: User) -> None:
    """Law 1: the client paused what there was; a person hears of each decision whose check-ins do not come, once."""
    first, second = uuid4(), uuid4()
    measures.start_interim(by=maya, client=sam, subject_id=first, at=NOW)
    pauses.pause(by=sam, weeks=None, words="", checks_too=True, at=NOW)
    assert Alert.objects.filter(client=sam).count() == 1
    later = NOW + timedelta(days=40)
    measures.start_interim(by=maya, client=sam, subject_id=second, at=later)
    assert list(Alert.objects.filter(client=sam).order_by("opened_at").values_list("opened_at", flat=True)) == [
        NOW, later,
    ]  # fmt: skip
    for days in (3, 6, 9):
        assert measures.send_due(at=later + timedelta(days=days, hours=1)) == 0
    assert Alert.objects.filter(client=sam).count() == 2


def test_check_ins_that_come_into_a_pause_by_a_merge_are_told(sam: Client, maya: User, on_call: User) -> None:
    measures.start_interim(by=maya, client=sam, subject_id=uuid4(), at=NOW)
    pauses.pause(by=sam, weeks=None, words="", checks_too=True, at=NOW)
    other = factories.client(maya, "Sam Whitehorse", email="s@example.net")
    moved = measures.start_interim(by=maya, client=other, subject_id=uuid4(), at=NOW)
    Measure.objects.filter(pk=moved.pk).update(client=sam)
    assert measures.send_due(at=NOW + timedelta(days=3, hours=1)) == 0
    assert Alert.objects.filter(client=sam, source_id=moved.pk).count() == 1


def test_how_and_when_of_the_asq_is_taken_in_words(rosa: User, maya: User, sam: Client, on_call: User) -> None:
    phone = asked_asq(rosa, maya, sam)
    for item in ("1", "2", "3", "4"):
        phone.say(f"asq--{item}", "1")
    assert phone.say("asq--detail", "Pills, two years ago").status_code == 303
    assert phone.saved("asq--detail") == "Pills, two years ago"
    phone.say("asq--5", "0")
    for n in ("1", "2", "3", "4", "5", "6", "6r"):
        phone.say(f"cssrs-screener-recent--{n}", "0")
    assert phone.post("/my/send/").url == "/my/done/"
    assert Assessment.objects.get(instrument="asq").level == "non_acute_positive"


# --- A packet edited without code ------------------------------------------------------------------------------------


def test_own_question_that_must_be_answered_never_stands_before_a_safety_question(rosa: User) -> None:
    """Law 1: who cannot answer what the practice asks comes to the safety question all the same."""
    key = issuing.begin_new(by=rosa, title="Weekly", at=NOW).key

    def edit(act: Callable[[Any], Any]) -> Any:
        seen = PacketDraft.objects.get(key=key).version
        return issuing.change(by=rosa, key=key, seen=seen, act=act, at=NOW)

    edit(lambda rows: pieces.add_own(rows, title="First", why="", minutes=1, told={}))
    edit(lambda rows: drafting.ask(rows, "own", Wording(text="Your case number?", type="number", required=True)))
    with pytest.raises(NotNow, match="a safety question comes after it"):
        edit(lambda rows: pieces.add(rows, "i.phq-9"))
    slug = next(fixed.name(row) for row in fixed.rows(PacketDraft.objects.get(key=key).rows))
    edit(lambda rows: drafting.reword(rows, slug, Wording(text="Your case number?", type="number")))
    edit(lambda rows: pieces.add(rows, "i.phq-9"))
    draft = edit(lambda rows: drafting.reword(rows, slug, Wording(text="Your number?", type="number", required=True)))
    with pytest.raises(NotNow, match="a safety question comes after it"):
        issuing.publish(by=rosa, key=key, seen=draft.version, reason="Shorter", at=NOW)
