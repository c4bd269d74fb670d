"""The demo practice stands in every state the product has, made by the product's own actions; nothing is sent."""

from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
import time_machine
from django.core import mail
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.test import Client as Browser
from django.urls import reverse

from intake import issuing, packet, publishing, resigning
from intake.models import (
    AgreementText,
    Answer,
    Arrival,
    Assessment,
    Intake,
    Invitation,
    MedicinePage,
    PacketDraft,
    PacketStart,
    PacketVersion,
    SharedScores,
    Signature,
    SigningRequest,
    TrustedPerson,
)
from intake.models.packets import PAGES
from practice import alike, audit, coverage, instruments
from practice.access import Role
from practice.kap.demo import answers, story
from practice.kap.models import Plan, Session
from practice.models import (
    Alert,
    AlertEvent,
    Apart,
    Client,
    EmergencyAccess,
    InstrumentDraft,
    InstrumentPermission,
    Job,
    Merge,
    Note,
    Notice,
    Practice,
    PsychotherapyNote,
    PublicPages,
    Task,
    User,
)
from practice.models.clients import LAST
from practice.models.tasks import KINDS
from practice.moving_in import analyze
from referrals.models import Course, CourseSession, Suggestion
from tests import links
from tests.conftest import sign_in
from tests.factories import NOW

pytestmark = pytest.mark.django_db


@pytest.fixture
def at_home(settings: Any) -> None:
    settings.DEMO, settings.LOOPBACK = True, True


def test_seed_demo_refuses_away_from_this_machine(db: None, settings: Any) -> None:
    settings.DEMO, settings.LOOPBACK = True, False
    with pytest.raises(CommandError, match="loopback ORIGIN only"):
        call_command("seed_demo")
    assert not User.objects.exists()


def test_seed_demo_refuses_where_somebody_is(at_home: None, maya: User) -> None:
    with pytest.raises(CommandError, match="There are people in this database"):
        call_command("seed_demo")
    assert list(User.objects.filter(is_demo=True)) == []


def test_seed_demo_if_empty_leaves_a_filled_database_alone(at_home: None, maya: User) -> None:
    out = StringIO()
    call_command("seed_demo", "--if-empty", stdout=out)
    assert (out.getvalue(), Client.objects.count()) == ("", 0)


def test_demo_answers_are_the_same_every_time() -> None:
    person = {"name": "Kit", "pronouns": "they/them", "born": "1996-12-24", "email": "kit@example.net", "phone": "555"}
    words = {"story": ["a", "b"], "hopes": ["c", "d"], "drugs": [["sertraline", 150], ["bupropion", 300]]}
    given = [
        answers.give(packet.seed("intake"), person, answers.Sitting(17, 1, "low", 9, 4), words, NOW.date())
        for _ in range(2)
    ]
    assert given[0] == given[1]
    assert sum(given[0][f"phq-9--{n}"].value for n in range(1, 10)) == 17


# --- One telling for the rest ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def cedar(django_db_setup: None, django_db_blocker: Any) -> Iterator[int]:
    with django_db_blocker.unblock(), transaction.atomic():
        told = story.tell(NOW)
        if connection.vendor == "postgresql":  # nobody else sees these rows: the planner may know the tables as empty
            analyze()
        yield told
        transaction.set_rollback(True)


def demo(role: Role) -> User:
    return User.objects.with_role(role).order_by("pk")[0]


def test_demo_practice_has_every_role_and_no_gap_in_its_roster(cedar: int) -> None:
    assert {role.label: demo(role).name for role in Role} == {
        "Therapist": "Maya Torres",
        "Supervisor": "Sol Amari",
        "Prescriber": "Pax Lind",
        "Front desk": "Fay Moss",
        "Admin": "Rosa Bell",
    }
    assert coverage.gaps(coverage.shifts()) == []
    assert Practice.get().answer_calls_nobody


def test_demo_people_are_marked_as_invented(cedar: int) -> None:
    assert Client.objects.count() == cedar
    assert not Client.objects.exclude(is_demo=True).exists()
    assert not User.objects.exclude(is_demo=True).exists()


def test_demo_sends_nothing(cedar: int) -> None:
    assert (Notice.objects.count(), Job.objects.count(), mail.outbox) == (0, 0, [])


def test_demo_audit_chain_is_whole(cedar: int) -> None:
    assert list(audit.faults()) == []


def test_demo_has_an_open_item_of_every_kind(cedar: int) -> None:
    assert set(Task.objects.filter(done_at=None).values_list("kind", flat=True)) == set(KINDS)
    assert Task.objects.filter(done_at=None, due_at__lt=NOW).exists()


def test_demo_clients_stand_in_the_caseload_where_their_items_put_them(cedar: int) -> None:
    for client in Client.objects.prefetch_related("tasks"):
        open_tasks = [task for task in client.tasks.all() if task.done_at is None]
        first = min(open_tasks, key=lambda task: (task.turn, task.opened_at), default=None)
        wanted = (first.rank, first.turn, first.opened_at) if first else (Client.Rank.STEADY, LAST, None)
        assert (client.rank, client.turn, client.rank_since) == wanted
    assert set(Client.objects.values_list("rank", flat=True)) == set(Client.Rank.values)
    # Restricted ones are hidden from everyone but admins, and in no caseload.
    shown = set(Client.Status.values) - {Client.Status.RESTRICTED}
    assert set(Client.objects.values_list("status", flat=True)) == shown


def test_demo_has_flags_of_every_severity_and_state(cedar: int) -> None:
    flags = Alert.objects.filter(is_drill=False)
    still = flags.filter(closed_at=None)
    assert set(still.values_list("severity", flat=True)) == set(Alert.Severity.values)
    assert {bool(a.acknowledged_at) for a in still} == {True, False}
    assert {a.contacts.exists() for a in still if a.acknowledged_at} == {True, False}
    assert still.exclude(left_at=None).count() == 1
    assert still.exclude(call_wanted_at=None).count() == 1
    assert set(still.values_list("rung", flat=True)) == {0, 1, 3}
    assert set(flags.values_list("source", flat=True)) == {"intake", "manual"}
    assert flags.exclude(closed_at=None).count() > 10
    assert Alert.objects.filter(is_drill=True).exclude(closed_at=None).count() == 1
    drilled = {"rose", "came_back", "call_unwanted"}
    assert set(AlertEvent.objects.values_list("kind", flat=True)) >= set(AlertEvent.Kind.values) - drilled


def test_demo_has_cards_of_every_state_with_holds_and_conflicts(cedar: int) -> None:
    cards = Suggestion.objects.all()
    assert set(cards.values_list("state", flat=True)) == set(Suggestion.State.values)
    assert set(cards.filter(state="open").values_list("status", flat=True)) == {"discuss", "hold", "n/a"}
    against = [card for card in cards if {"IN-01", "CX-04"} <= {rule["id"] for rule in card.rules}]
    assert {(card.client.name, card.suggested) for card in against} == {("Elena Markovic", "no_ketamine_now")}
    assert all(card.reasoning for card in cards.filter(state="reviewed"))


def test_demo_has_packets_of_every_state(cedar: int) -> None:
    assert set(Invitation.objects.values_list("state", flat=True)) == set(Invitation.State.values)
    stale = Invitation.objects.filter(state="sent", expires_at__lt=NOW).exclude(packet__in=PAGES)
    assert [invitation.client.name for invitation in stale] == ["Beatriz Fonseca"]
    assert set(Invitation.objects.values_list("reminders", flat=True)) == {0, 1, 2}
    documents = {page.agreement for page in packet.seed("intake").pages if page.agreement}
    assert set(Signature.objects.values_list("document", flat=True)) == documents


def test_demo_answers_were_scored_by_the_product(cedar: int) -> None:
    phq9 = Assessment.objects.filter(instrument="phq-9")
    asked = Intake.objects.exclude(submitted_at=None).exclude(invitation__packet="isi")
    assert phq9.count() == asked.count() > 120
    for row in phq9.filter(complete=True):
        assert row.total == sum(row.answers[f"phq9-{n}"] for n in range(1, 10))
    assert set(Assessment.objects.values_list("level", flat=True)) >= {"none", "low", "moderate", "high"}
    assert not phq9.filter(complete=True, safety=True).exclude(intake__in=raised()).exists()
    assert Answer.objects.filter(question="story").exists()


def raised() -> Any:
    return Alert.objects.filter(source="intake").values("source_id")


def totals(name: str) -> list[int]:
    found = next(client for client in Client.objects.all() if client.name == name)
    rows = found.assessments.filter(instrument="phq-9").order_by("taken_at")
    return [int(row.total) for row in rows]


def test_demo_histories_show_response_remission_and_relapse(cedar: int) -> None:
    relapse, remission = totals("Marisol Vega"), totals("Desmond Clarke")
    assert (relapse[0], min(relapse), relapse[-1]) == (21, 3, 19)
    assert remission[0] >= 20
    assert all(total < 5 for total in remission[-4:])
    first, last = Assessment.objects.earliest("taken_at"), Assessment.objects.latest("taken_at")
    assert (last.taken_at - first.taken_at).days > 500


def test_demo_treatments_are_in_every_state(cedar: int) -> None:
    assert set(Course.objects.values_list("state", flat=True)) == set(Course.State.values)
    assert set(CourseSession.objects.values_list("state", flat=True)) == set(CourseSession.State.values)
    assert set(Plan.objects.values_list("shape", flat=True)) == set(Plan.Shape.values)
    assert set(Session.objects.values_list("kind", flat=True)) == set(Session.Kind.values)
    named = {client.name: (client.plan_name, client.plan_note) for client in Client.objects.all()}
    assert named["Wen Li Zhao"] == ("KAP weekly", "4 of 8")
    assert named["Aisha Rahman"] == ("Infusions", "3 of 6, Northlake")


def test_demo_notes_are_of_both_kinds(cedar: int) -> None:
    assert [note.by.name for note in Note.objects.all()] == ["Maya Torres"]
    assert [note.by.name for note in PsychotherapyNote.objects.all()] == ["Maya Torres"]


def test_demo_has_a_thread_that_was_answered_and_one_that_waits(cedar: int) -> None:
    threads = {
        client.name: [(row.by and row.by.name, row.openings.count()) for row in client.messages.order_by("at")]
        for client in Client.objects.all()
        if client.messages.exists()
    }
    maya = "Maya Torres"
    assert threads == {
        "Sam Whitehorse": [(None, 1), (maya, 1), (None, 1), (maya, 0)],
        "Grace Okafor": [(None, 0)],
    }


def test_demo_shows_a_client_how_it_went(cedar: int) -> None:
    shown = [(row.client.name, row.instrument, row.shared_by.name) for row in SharedScores.objects.all()]
    assert shown == [("Peter Lindqvist", "phq-9", "Maya Torres")]


def test_demo_brought_instruments_in_every_state(cedar: int) -> None:
    assert [each.key for each in instruments.in_use(NOW)] == ["isi"]
    stand = dict(InstrumentPermission.objects.values_list("instrument", "ended_at"))
    assert (set(stand), stand["isi"], stand["wsas"] is None) == ({"isi", "wsas"}, None, False)
    assert sorted(InstrumentDraft.objects.values_list("instrument", flat=True)) == ["dast-10", "isi", "wsas"]
    scored = Assessment.objects.filter(instrument="isi").order_by("taken_at")
    assert [(row.client.name, int(row.total or 0), row.band) for row in scored] == [
        ("Peter Lindqvist", 21, "moderate"),
        ("Peter Lindqvist", 7, "none"),
    ]


def test_demo_asks_clients_to_sign_a_new_version(cedar: int) -> None:
    (row,) = AgreementText.objects.exclude(published_at=None)
    assert (row.document, row.version, row.must_sign) == ("communications", "1.1", True)
    outcomes = list(SigningRequest.objects.order_by("asked_at").values_list("outcome", flat=True))
    assert (outcomes.count("signed"), outcomes.count("asked")) == (2, 1)
    draft = publishing.draft_of("telehealth")
    assert draft is not None
    assert [must.what for must in publishing.review(draft, Practice.get()).missing] == ["Who else is present"]
    assert resigning.due(NOW) != []


def test_demo_has_people_whom_clients_trust(cedar: int) -> None:
    rows = [(row.name, row.kind, row.held_at is not None, row.looks.count()) for row in TrustedPerson.objects.all()]
    assert sorted(rows) == [
        ("Carla Marchetti", "guardian", False, 0),
        ("Jun Zhao", "support", False, 3),
        ("Ugo Ferri", "support", True, 0),
    ]


def test_demo_has_a_medication_list_that_waits_and_one_that_was_typed(cedar: int) -> None:
    """Feature A18."""
    rows = MedicinePage.objects.order_by("at", "pk").values_list("kind", "typed_by__name")
    assert list(rows) == [("image/jpeg", "Maya Torres"), ("image/jpeg", None), ("image/jpeg", None)]


def test_demo_has_an_emergency_that_waits_and_one_that_was_reviewed(cedar: int) -> None:
    rows = [(row.by.name, row.reviewed_by and row.reviewed_by.name) for row in EmergencyAccess.objects.order_by("at")]
    assert rows == [("Ines Duarte", "Sol Amari"), ("Omar Haddad", None)]


def test_demo_charts_open_for_their_therapist(cedar: int) -> None:
    with time_machine.travel(NOW, tick=False), transaction.atomic():
        browser = sign_in(Browser(), demo(Role.THERAPIST))
        for client in Client.objects.filter(therapist=demo(Role.THERAPIST)):
            page = browser.get(reverse("chart", args=[client.pk]))
            assert (page.status_code, client.name in page.content.decode()) == (200, True)
        transaction.set_rollback(True)


def test_demo_has_a_pair_that_waits_and_one_that_was_merged(cedar: int) -> None:
    pairs = [(pair.one.name, pair.other.name, pair.why) for pair in alike.likely(demo(Role.ADMIN))]
    assert pairs == [
        ("Hannah Lindgren", "Hanna Lindgren", ("email_index", "phone_index")),
        ("Ruth Abara", "R. Abara", ("email_index",)),  # who began anew by herself
    ]
    assert [(row.client.name, row.former.name) for row in Merge.objects.all()] == [("Gus Pappas", "Constantine Pappas")]
    assert {name for row in Apart.objects.standing() for name in (row.client.name, row.other.name)} == {
        "Elena Markovic", "Lena Fischer",
    }  # fmt: skip


def test_demo_has_people_who_began_alone_and_a_form_entered_by_phone(cedar: int) -> None:
    """Feature A2, A11."""
    assert PublicPages.get().starts_open is True
    new = Arrival.objects.order_by("at")
    assert [(row.name, row.client.therapist if row.client else None) for row in new] == [
        ("Tomas Iversen", None), ("R. Abara", None),
    ]  # fmt: skip
    assert [row.age(row.at.date()) < 18 for row in new] == [True, False]
    heard = Intake.objects.exclude(entered_how="")
    assert [(row.client.name, row.completed_by, row.entered_how) for row in heard] == [("Ruth Abara", "staff", "phone")]
    assert {answer.entered_by for answer in heard.get().answers.all()} == {heard.get().client.therapist}


def test_demo_practice_asks_in_its_own_words(cedar: int) -> None:
    row = PacketVersion.objects.get()
    wanted = packet.load(row.key)
    assert (wanted.title, row.version, wanted.asks_about_suicide) == ("Before your first session here", "1", False)
    assert [each.title for each in wanted.sections] == ["Agreements", "The room", "How you have been"]
    draft = PacketDraft.objects.get()
    assert (draft.key, issuing.changes(draft)) == (
        "check-in", ["New: “How many hours do you sleep in a night?” (a number)."],
    )  # fmt: skip
    assert list(PacketStart.objects.values_list("group", "packet")) == [("remote", row.key)]


# --- No link leads nowhere -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", Role)
@time_machine.travel(NOW, tick=False)
def test_no_link_of_a_page_leads_its_reader_nowhere(cedar: int, role: Role) -> None:
    """Every link that somebody of this role is shown opens for them, and every form is sent to a door of theirs."""
    opened, nowhere = links.walk(demo(role))
    assert nowhere == []
    assert opened > 60


def test_walk_finds_what_leads_nowhere(cedar: int) -> None:
    """The walk itself: an admin reads no chart, so that a link or a form of one would be told."""
    admin, note = demo(Role.ADMIN), f"/clients/{Client.objects.order_by('number')[0].pk}/notes/"
    assert links.refused_forms(f'<form method="post" action="{note}">', "/here/", admin) == [("/here/", note)]
    assert links.walk(admin, start=note) == (1, [(403, note, "")])
    shown = '<a class="x" href="?q=1&amp;w=2#a"></a><a href="#b"></a><a href="tel:1"></a>'
    assert links.addresses(shown, links.LINK, "/x/?y") == ["/x/?q=1&w=2"]
