"""Asking the client one thing (Z2; issue 3, fit of the paths): just the pages that give one input of the table."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from intake import actions, measures, packet
from intake.models import Invitation
from practice.actions import NotNow
from practice.clinical import table
from practice.models import Client, Notice, User
from referrals import picture
from tests.factories import NOW
from tests.intake.conftest import Phone, text_of

INTAKE = packet.load("intake", "1")
NINE = tuple(f"phq-9--{n}" for n in range(1, 11))
SCREEN = tuple(page.slug for page in INTAKE.pages if page.instrument == "cssrs-screener-recent")
# What only a clinician or the record itself can say.
NOT_ASKED = {
    "abuse_or_neglect_disclosed",
    "asq_incomplete",
    "asq_result",
    "capacity_to_consent",
    "homicidal_ideation",
    "med_list_confirmed",
    "prescriber_linked",
    "sud_active",
    "therapist_alliance",
}


def asks(client: Client, by: User, name: str) -> Invitation:
    return measures.ask(by=by, client=client, input_name=name, at=NOW)


def slugs(name: str) -> tuple[str, ...]:
    return tuple(INTAKE.only(measures.pages_for(name)).by_slug)


def known(client: Client) -> dict[str, Any]:
    return picture.known(Client.objects.get(pk=client.pk), NOW.date()).inputs


# --- Which pages -----------------------------------------------------------------------------------------------------


def test_every_input_is_asked_by_a_page_or_is_known_not_to_be() -> None:
    assert {name for name in table.inputs() if not measures.can_ask(name)} == NOT_ASKED


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("glaucoma", ("glaucoma",)),
        ("sbp", ("blood-pressure",)),
        ("meds", ("medicine-kinds",)),
        ("peg", ("peg--1", "peg--2", "peg--3")),
        ("failed_adequate_trials", ("trials",)),
        ("ketamine_consent_signed", ("agreement--ketamine",)),
        ("age", ("birth-date",)),
        ("mania_or_mixed_current", ("high-mood", "high-mood-now")),
        ("psychosis_current", ("voices", "plots", "voices-now")),
        ("phq9_total", (*NINE[:9], *SCREEN, NINE[9])),
        ("phq9_item9", (*NINE[:9], *SCREEN, NINE[9])),
        ("cssrs_level", SCREEN),
    ],
)
def test_an_input_is_asked_by_its_own_pages(name: str, expected: tuple[str, ...]) -> None:
    assert slugs(name) == expected


def test_nothing_left_out_is_the_whole_packet() -> None:
    assert INTAKE.only([]) is INTAKE


@pytest.mark.parametrize(("name", "minutes"), [("glaucoma", 1), ("pcl5_total", 2), ("phq9_total", 3)])
def test_the_minutes_are_those_of_what_is_asked(name: str, minutes: int) -> None:
    assert INTAKE.only(measures.pages_for(name)).minutes == minutes


def test_a_condition_on_something_that_is_not_asked_falls_away() -> None:
    def condition(name: str, slug: str) -> Any:
        return INTAKE.only(measures.pages_for(name)).by_slug[slug].show_when

    assert condition("pcl5_total", "pcl-5--1") == {}
    assert condition("peg", "peg--1") == {}
    assert condition("cssrs_level", SCREEN[0]) == {}
    assert condition("phq9_total", SCREEN[0]) == {"any": [{"sign": True}, {"screen_everyone": True}]}
    assert condition("mania_or_mixed_current", "high-mood-now") == {"page": "high-mood", "in": ["yes", "unsure"]}


# --- Sending ---------------------------------------------------------------------------------------------------------


def test_the_client_gets_one_link_to_just_that_question(clock: Any, sam: Client, maya: User, on_call: User) -> None:
    phone = Phone(asks(sam, maya, "glaucoma")).start()
    assert phone.say("glaucoma", "controlled").url == "/my/check/"
    assert phone.get("/my/q/phq-9--1/").status_code == 404
    assert phone.post("/my/send/").url == "/my/done/"
    assert known(sam)["glaucoma"] == "controlled"
    assert Notice.objects.filter(client=sam, template="invitation").count() == 2


def test_the_page_before_says_how_long_it_really_takes(clock: Any, sam: Client, maya: User, on_call: User) -> None:
    phone = Phone(asks(sam, maya, "glaucoma"))
    phone.open()
    assert "This takes about 1 minute." in text_of(phone.get("/my/"))


def test_staff_see_that_only_this_was_asked(
    clock: Any, sam: Client, maya: User, on_call: User, as_user: Callable[[User], Any]
) -> None:
    asks(sam, maya, "glaucoma")
    page = as_user(maya).get(f"/clients/{sam.pk}/invite/").content.decode()
    assert "1 question of “Your first forms”" in page


def test_the_newest_word_counts_and_the_rest_stays(clock: Any, sam: Client, maya: User, on_call: User) -> None:
    for name, page, said in (
        ("glaucoma", "glaucoma", "none"),
        ("liver", "liver", "mild"),
        ("glaucoma", "glaucoma", "uncontrolled"),
    ):
        phone = Phone(asks(sam, maya, name)).start()
        phone.say(page, said)
        phone.post("/my/send/")
        clock.shift(60)
    found = known(sam)
    assert (found["glaucoma"], found["liver"]) == ("uncontrolled", "mild")


@pytest.mark.parametrize(("days", "counts"), [(30, True), (31, False)])
def test_a_reading_that_was_asked_outlives_the_next_form_for_thirty_days(
    clock: Any, sam: Client, maya: User, on_call: User, days: int, counts: bool
) -> None:
    phone = Phone(asks(sam, maya, "sbp")).start()
    phone.say("blood-pressure", upper="150", lower="95", on_0="11", on_1="19", on_2="2026")
    phone.post("/my/send/")
    clock.shift(60)
    phone = Phone(asks(sam, maya, "glaucoma")).start()
    phone.say("glaucoma", "none")
    phone.post("/my/send/")
    found = picture.known(sam, NOW.date() + timedelta(days=days)).inputs
    assert ("sbp" in found, found["glaucoma"]) == (counts, "none")


def test_the_review_card_is_weighed_anew(clock: Any, sam: Client, maya: User, on_call: User) -> None:
    from referrals.models import Suggestion

    phone = Phone(asks(sam, maya, "phq9_total")).start()
    for page in NINE[:9]:
        phone.say(page, "3")
    phone.say("cssrs-screener-recent--1", "1")
    phone.post("/my/send/")
    first = Suggestion.objects.get(client=sam, state="open")
    assert "glaucoma" not in first.picture["inputs"]
    clock.shift(60)
    phone = Phone(asks(sam, maya, "glaucoma")).start()
    phone.say("glaucoma", "controlled")
    phone.post("/my/send/")
    again = Suggestion.objects.get(client=sam, state="open")
    assert (again.pk != first.pk, again.picture["inputs"]["glaucoma"]) == (True, "controlled")


def test_a_safety_answer_in_what_is_asked_raises_its_flag(clock: Any, sam: Client, maya: User, on_call: User) -> None:
    phone = Phone(asks(sam, maya, "phq9_total")).start()
    phone.say("phq-9--9", "2")
    assert [alert.rule_ids for alert in sam.alerts.all()] == [["SR-06"]]
    assert phone.get(f"/my/q/{SCREEN[0]}/").status_code == 200


def test_nobody_on_call_stops_only_what_asks_about_suicide(clock: Any, sam: Client, maya: User) -> None:
    assert asks(sam, maya, "glaucoma").only == ["glaucoma"]
    with pytest.raises(NotNow, match="Nobody is on call"):
        asks(sam, maya, "phq9_total")


@pytest.mark.parametrize("name", sorted(NOT_ASKED))
def test_what_no_question_gives_is_refused_with_a_sentence(sam: Client, maya: User, name: str) -> None:
    with pytest.raises(NotNow, match="No question to the client gives this"):
        asks(sam, maya, name)


def test_the_same_question_is_not_sent_twice(clock: Any, sam: Client, maya: User, on_call: User) -> None:
    asks(sam, maya, "glaucoma")
    with pytest.raises(NotNow, match="not back yet"):
        asks(sam, maya, "glaucoma")
    assert asks(sam, maya, "liver").only == ["liver"]


def test_a_question_that_waits_in_the_whole_form_is_not_sent_beside_it(
    sent: Invitation, sam: Client, maya: User
) -> None:
    with pytest.raises(NotNow, match="not back yet"):
        asks(sam, maya, "glaucoma")


def test_a_question_that_waits_does_not_stop_the_whole_form(clock: Any, sam: Client, maya: User, on_call: User) -> None:
    asks(sam, maya, "glaucoma")
    assert actions.invite(by=maya, client=sam, key="intake", at=NOW).only == []


def test_a_discharged_client_is_asked_nothing(clock: Any, sam: Client, maya: User, on_call: User) -> None:
    Client.objects.filter(pk=sam.pk).update(status=Client.Status.DISCHARGED)
    with pytest.raises(NotNow, match="discharged"):
        asks(Client.objects.get(pk=sam.pk), maya, "glaucoma")
    assert (Invitation.objects.count(), Notice.objects.count()) == (0, 0)


def test_a_medicine_trial_that_was_asked_alone_counts_once_staff_confirm_it(
    clock: Any, sam: Client, maya: User, on_call: User
) -> None:
    from referrals.actions.suggestions import confirm_trials

    phone = Phone(asks(sam, maya, "failed_adequate_trials")).start()
    phone.post("/my/q/trials/", {"rows-TOTAL_FORMS": "1", "rows-INITIAL_FORMS": "0", "rows-0-drug": "Sertraline",
        "rows-0-mg": "200", "rows-0-weeks": "8", "rows-0-best_improvement_pct": "0", "rows-0-stopped": "no_help",
        "rows-0-most_days": "yes", "rows-0-this_episode": "yes"})  # fmt: skip
    phone.post("/my/send/")
    assert "failed_adequate_trials" not in known(sam)
    confirm_trials(by=maya, sitting=phone.sitting, at=NOW)
    assert known(sam)["failed_adequate_trials"] == 1
