"""The client's own plan in plain words, and what they write for themselves (H12, H18)."""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.utils.html import escape

from intake.models import AgreementText, Signature
from practice.kap import intentions
from practice.kap.actions import clearance
from practice.kap.models import Intention, Plan, Session
from practice.models import AuditEvent, Client, User
from tests.conftest import send
from tests.factories import NOW
from tests.homes import at_home

State = Session.State
TELLING = re.compile(r"\b\d+ ?mg\b|dosing|phq|c-?ssrs|score|severity|absorb|\d+ ?%|compliance|soon\b|!", re.I)


@pytest.fixture(autouse=True)
def _now() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def plan(sam: Client, maya: User, pax: User) -> Plan:
    """One of three given, one booked, one that waits for the prescriber."""
    clearance.grant(
        by=pax, client=sam, doses=2, until=date(2027, 1, 1), most_mg=Decimal(137), route="sublingual", words="W", at=NOW
    )
    made = Plan.objects.create(client=sam, shape="weekly", planned=3, started_on=NOW.date(), therapist=maya)
    session(made, 1, -7, State.DONE)
    session(made, 1, -5, State.DONE, kind="integration")
    session(made, 2, 6, State.PLANNED)
    session(made, 2, 7, State.PLANNED, kind="integration")
    session(made, 3, 13, State.WAITING)
    return made


def session(plan: Plan, number: int, days: int, state: str, kind: str = "dosing", **said: Any) -> Session:
    known = {"starts_at": NOW + timedelta(days=days), "therapist": plan.therapist, "minutes": 180} | said
    return Session.objects.create(plan=plan, number=number, kind=kind, state=state, **known)


def text(answer: Any) -> str:
    return " ".join(
        re.sub(r"<[^>]*>", " ", answer.content.decode().partition("<main")[2].partition("</main")[0]).split()
    )


def dose(plan: Plan, number: int) -> Session:
    return plan.sessions.get(kind="dosing", number=number)


def path(row: Session) -> str:
    return f"/my/plan/{row.pk}/"


def write(browser: Browser, row: Session, words: str, when: str = "before", **pressed: str) -> Any:
    return send(browser, path(row), {"when": when, "words": words} | pressed)


# --- The plan --------------------------------------------------------------------------------------------------------


def test_home_says_n_of_m_and_what_is_next(sam: Client, plan: Plan) -> None:
    said = text(at_home(sam).get("/my/home/"))
    assert "Your plan 1 of 3 ketamine sessions done. Next: Wed Nov 25, 10:00 am. Open your plan" in said


def test_home_without_a_plan_says_nothing_of_one(sam: Client) -> None:
    assert "Your plan" not in text(at_home(sam).get("/my/home/"))


def test_plan_tells_before_that_day_and_after_in_order(sam: Client, plan: Plan) -> None:
    said = text(at_home(sam).get("/my/plan/"))
    heads = [
        "1 of 3 ketamine sessions done.",
        "Wed Nov 25, 10:00 am",
        "Before a ketamine session",
        "That day",
        "After it",
    ]
    assert sorted(heads, key=said.index) == heads
    assert "Plan for 180 minutes. With Maya." in said
    assert "1 more is planned. It gets its day after the prescriber says yes." in said
    assert "Wed Dec 2" not in said  # what waits has no day yet
    assert "Eat nothing for 4 hours before. Drink nothing for 2 hours before." in said
    assert "That is called off-label. Esketamine (Spravato) is approved" in said


OWN_TEXT = """# About ketamine here
What we want you to know.
- For your mood it is off-label, which means that it is not approved; esketamine is.
- It may help you to feel better. We are not sure for how long.
- You may need it again.
# The day
Come rested.
- Ride with a friend, and do not drive.
- Wait with driving for the next day, after you have slept.
- We never touch you without a yes; you can take it back.
- In an emergency we call 911.
- Until then you can stop. Somebody stays with you."""


def own_text(by: User, version: str, at: datetime, **changed: str) -> AgreementText:
    said = {"title": "Ketamine", "summary": "S", "sign": "I read it.", "body": OWN_TEXT} | changed
    return AgreementText.objects.create(
        document="ketamine", version=version, changed_at=at, changed_by=by, published_at=at, published_by=by,
        must_sign=False, because="x", reason="y", sha256="0" * 64, **said,
    )  # fmt: skip


def signed(client: Client, version: str, at: datetime) -> None:
    row = Signature(client=client, document="ketamine", version=version, text_sha256="0" * 64, signed_at=at)
    row.typed_name = client.legal_name
    row.save()


def test_plan_quotes_the_text_that_this_client_signed_or_will_sign(sam: Client, rosa: User, plan: Plan) -> None:
    """Feature B3: what is said about ketamine is what the client read, in the practice's own words if any."""
    shipped, ours, newer = "That is called off-label.", "For your mood it is off-label", "Newer: it is off-label"
    browser = at_home(sam)

    def quoted() -> list[bool]:
        said = text(browser.get("/my/plan/"))
        return [words in said for words in (shipped, ours, newer)]

    assert quoted() == [True, False, False]
    own_text(rosa, "1.1", NOW - timedelta(days=3))
    assert quoted() == [False, True, False]  # nothing signed: what they will sign
    signed(sam, "1", NOW - timedelta(days=4))
    assert quoted() == [True, False, False]
    signed(sam, "1.1", NOW - timedelta(days=2))
    own_text(rosa, "1.2", NOW - timedelta(days=1), body=OWN_TEXT.replace("For your mood it is", "Newer: it is"))
    assert quoted() == [False, True, False]
    signed(sam, "old-system", NOW)
    assert quoted() == [False, False, True]


def test_plan_says_all_that_the_text_says_of_driving(sam: Client, rosa: User, plan: Plan) -> None:
    """What stands in two points of a text is quoted from both, in their order, and nothing twice."""
    own_text(rosa, "1.1", NOW)
    said = text(at_home(sam).get("/my/plan/"))
    ride, wait = "Ride with a friend, and do not drive.", "Wait with driving for the next day, after you have slept."
    assert f"After it {ride} {wait} We talk with you" in said
    assert (
        "every 15 minutes. We never touch you without a yes; you can take it back. In an emergency we call 911." in said
    )
    assert "feel better. We are not sure for how long. You may need it again. Until then you can stop." in said
    assert [said.count(words) for words in (ride, wait, "You may need it again.")] == [1, 1, 1]


def test_no_page_of_the_client_names_a_dose_a_score_or_a_share(sam: Client, plan: Plan) -> None:
    browser = at_home(sam)
    for url in ("/my/home/", "/my/plan/", path(dose(plan, 1)), path(dose(plan, 2))):
        assert TELLING.findall(text(browser.get(url))) == []


def test_times_are_the_clients_own_and_the_zone_is_named(sam: Client, plan: Plan) -> None:
    Client.objects.filter(pk=sam.pk).update(zone="America/Denver")
    said = text(at_home(sam).get("/my/plan/"))
    assert "Wed Nov 25, 8:00 am" in said and "10:00 am" not in said
    assert "All times are for Denver." in said


@pytest.mark.parametrize(
    ("given", "due"),
    [(datetime(2026, 5, 31, 20, tzinfo=UTC), "Nov 30, 2026"), (datetime(2026, 8, 31, 20, tzinfo=UTC), "Feb 28, 2027")],
)
def test_booster_is_named_by_its_day(sam: Client, maya: User, given: datetime, due: str) -> None:
    ended = Plan.objects.create(client=sam, shape="weekly", planned=1, started_on=given.date(), state="done")
    session(ended, 1, 0, State.DONE, starts_at=given)
    said = text(at_home(sam).get("/my/plan/"))
    assert f"Your next ketamine session after this is due around {due}. You and Maya choose the day." in said
    assert "Before a ketamine session" not in said


def test_no_plan_yet_is_said(sam: Client) -> None:
    assert "No plan yet When you and Maya make one, its days stand here." in text(at_home(sam).get("/my/plan/"))


def test_plan_page_asks_the_same_however_long_the_plan_is(sam: Client, plan: Plan) -> None:
    browser = at_home(sam)
    counts = []
    for more in (0, 6):
        for number in range(more):
            session(plan, 10 + number, 20 + number, State.PLANNED)
        browser.get("/my/plan/")
        with CaptureQueriesContext(
            connection,
        ) as asked:
            browser.get("/my/plan/")
        counts.append(len(asked))
    assert counts[0] == counts[1]


def test_locked_browser_sees_nothing_of_the_plan(sam: Client, plan: Plan) -> None:
    browser = at_home(sam)
    send(browser, "/my/home/lock/")
    for url in ("/my/plan/", path(dose(plan, 2))):
        answer = browser.get(url)
        assert (answer.status_code, answer["Location"]) == (303, "/my/locked/")


# --- Words of their own ----------------------------------------------------------------------------------------------


def test_intention_is_kept_while_they_type_and_is_theirs_alone(
    sam: Client, plan: Plan, maya: User, as_user: Any
) -> None:
    browser, row = at_home(sam), dose(plan, 2)
    assert [write(browser, row, words).status_code for words in ("To let", "To let go of the house")] == [204, 204]
    kept = Intention.objects.get()
    assert (kept.words, kept.when, kept.shared_at, kept.saved_at) == ("To let go of the house", "before", None, NOW)
    assert "To let go of the house" in browser.get(path(row)).content.decode()
    assert intentions.shared(row) == []
    for url in (f"/clients/{sam.pk}/", f"/clients/{sam.pk}/activity/"):
        assert "let go" not in as_user(maya).get(url).content.decode()


def test_shared_words_are_shown_until_they_stop_sharing(sam: Client, plan: Plan) -> None:
    browser, row = at_home(sam), dose(plan, 2)
    assert write(browser, row, "To rest", share="1")["Location"] == path(row)
    assert [(each.when, each.words) for each in intentions.shared(row)] == [("before", "To rest")]
    said = text(browser.get(path(row)))
    assert "Shared with Maya since Thu Nov 19, 10:00 am." in said and "Share with Maya" not in said
    write(browser, row, "To rest, and sleep")  # changed while it is shared
    assert [each.words for each in intentions.shared(row)] == ["To rest, and sleep"]
    write(browser, row, "To rest, and sleep", stop="1")
    assert intentions.shared(row) == []
    assert Intention.objects.get().words == "To rest, and sleep"
    done = AuditEvent.objects.filter(action__startswith="intention.").order_by("seq").values_list("action", flat=True)
    assert [each for each in done if each != "intention.saved"] == ["intention.shared", "intention.unshared"]


def test_before_and_after_are_shared_each_on_its_own(sam: Client, plan: Plan) -> None:
    browser, row = at_home(sam), dose(plan, 1)
    assert "What do you want to remember?" in text(browser.get(path(row)))
    assert "What would you like" not in text(browser.get(path(row)))
    write(browser, row, "The light", when="after", share="1")
    write(browser, row, "Old hope", when="before", save="1")
    assert [(each.when, each.words) for each in intentions.shared(row)] == [("after", "The light")]
    assert "What would you like" in text(browser.get(path(row)))  # what was written stays readable


def test_one_part_is_open_at_a_time_and_the_other_is_read(sam: Client, plan: Plan) -> None:
    browser, row = at_home(sam), dose(plan, 1)
    write(browser, row, "Old hope", when="before", share="before")
    pages = [browser.get(path(row) + query).content.decode() for query in ("", "?part=before", "?part=now")]
    assert [re.findall(r'name="when" value="(\w+)"', page) for page in pages] == [["after"], ["before"], ["after"]]
    assert '<p class="kept">Old hope</p>' in pages[0] and "Change it, or stop sharing" in pages[0]
    assert '<p class="kept">Nothing yet.</p>' in pages[1] and 'name="open" value="after"' in pages[1]
    assert "<a" not in pages[0].partition("Old hope</p>")[2].partition("</section>")[0]
    assert write(browser, row, "New light", when="after", open="before")["Location"] == f"{path(row)}?part=before"
    assert Intention.objects.get(when="after").words == "New light"
    ahead = browser.get(f"{path(dose(plan, 2))}?part=after").content.decode()
    assert re.findall(r'name="when" value="(\w+)"', ahead) == ["before"]


def test_switch_of_language_keeps_what_was_typed(sam: Client, plan: Plan) -> None:
    """UX check 17, without script: this page saves by itself, and so does its switch."""
    browser, row = at_home(sam), dose(plan, 1)
    write(browser, row, "Old hope", when="before", save="1")
    for words, when, speak in (("Ñandú <b>", "before", "es"), ("The light", "after", "en")):
        answer = write(browser, row, words, when=when, speak=speak)
        assert (answer.status_code, answer["Location"]) == (303, f"{path(row)}?part={when}")
        page = browser.get(answer["Location"]).content.decode()
        assert f'<html lang="{speak}"' in page
        assert escape(words) in page.partition("<textarea")[2].partition("</textarea")[0]
    assert sorted(Intention.objects.values_list("when", "shared_at")) == [("after", None), ("before", None)]
    write(browser, dose(plan, 2), "", speak="es")  # nothing typed, nothing kept
    assert Intention.objects.count() == 2


def test_switch_of_language_keeps_too_many_words_on_the_page(sam: Client, plan: Plan) -> None:
    browser = at_home(sam)
    answer = write(browser, dose(plan, 2), "x" * 4001, speak="es")
    page = answer.content.decode()
    assert (answer.status_code, '<html lang="es"' in page, "x" * 4001 in page, "¿Qué le gustaría" in page) == (
        400, True, True, True,
    )  # fmt: skip
    sam.refresh_from_db()
    assert (sam.language, Intention.objects.count()) == ("es", 0)


def test_emptied_words_are_not_shown_to_staff(sam: Client, plan: Plan) -> None:
    browser, row = at_home(sam), dose(plan, 2)
    write(browser, row, "To rest", share="1")
    write(browser, row, "", save="1")
    assert intentions.shared(row) == []
    write(browser, dose(plan, 1), " ", when="after", share="1")
    assert "Write something first. Then you can share it." in text(browser.get(path(dose(plan, 1))))
    assert Intention.objects.filter(when="after", shared_at__isnull=False).count() == 0


def test_too_many_words_stay_on_the_page_with_a_sentence(sam: Client, plan: Plan) -> None:
    browser, row = at_home(sam), dose(plan, 2)
    answer = write(browser, row, "x" * 4001, save="1")
    assert answer.status_code == 400
    assert "x" * 4001 in answer.content.decode() and "There is a problem" in text(answer)
    assert Intention.objects.count() == 0


@pytest.mark.parametrize("when", ["", "now", "before\x00", "BEFORE"])
def test_made_up_time_is_not_found(sam: Client, plan: Plan, when: str) -> None:
    assert write(at_home(sam), dose(plan, 2), "x", when=when).status_code == 404
    assert Intention.objects.count() == 0


def test_session_of_somebody_else_is_not_found(sam: Client, kit: Client, plan: Plan) -> None:
    browser = at_home(kit)
    assert browser.get(path(dose(plan, 2))).status_code == 404
    assert write(browser, dose(plan, 2), "x").status_code == 404
    assert Intention.objects.count() == 0


def test_words_are_stored_sealed(sam: Client, plan: Plan) -> None:
    write(at_home(sam), dose(plan, 2), "Zyxcanary wish", share="1")
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM kap_intention")
        cells = [bytes(c).decode("latin-1") if isinstance(c, bytes | memoryview) else str(c) for c in cursor.fetchone()]
    assert [cell for cell in cells if "Zyxcanary" in cell] == []
