"""Safety alerts and their ladder (security checks 77, 79, 80), as actions without a browser."""

import threading
from datetime import datetime, timedelta

import pytest
from django.db import connection

from practice import actions
from practice.actions import NotNow
from practice.models import Alert, AlertNotice, AuditEvent, Client, Job, Note, Notice, SafetyContact, Task, User
from practice.models.tasks import AHEAD
from tests import factories
from tests.factories import NOW

SR04 = {"id": "SR-04", "version": "1"}
SR03 = {"id": "SR-03", "version": "1"}
SITTING = "11111111-1111-1111-1111-111111111111"


def after(minutes: int) -> datetime:
    return NOW + timedelta(minutes=minutes)


def raised(client: Client, severity: str = "urgent", rule: dict[str, str] = SR03, at: datetime = NOW) -> Alert:
    return actions.raise_alert(
        by=client, client=client, source="intake", source_id=SITTING, severity=severity, rules=[rule], at=at
    )


def contact(by: User, alert: Alert, at: datetime, **said: object) -> SafetyContact:
    plain = {
        "reached": "yes",
        "at": at,
        "level": "low",
        "action": "Called, talked for ten minutes",
        "plan": "Sister stays tonight",
        "next_check_at": at + timedelta(hours=24),
    }
    return actions.record_contact(by=by, alert=alert, recorded_at=at, **(plain | said))


def told(alert: Alert) -> list[tuple[str, str, int]]:
    rows = AlertNotice.objects.filter(alert=alert).order_by("rung", "told_at", "user__name").select_related("user")
    return [(row.user.name, row.why, row.rung) for row in rows]


def kinds(alert: Alert) -> list[str]:
    return list(alert.events.order_by("at", "pk").values_list("kind", flat=True))


def test_raise_alert_opens_the_flag_the_task_and_the_notice_together(sam: Client, maya: User, on_call: User) -> None:
    alert = raised(sam)
    assert told(alert) == [("Maya Torres", "therapist", 0), ("Omar Haddad", "on_call", 0)]
    task = Task.objects.get(client=sam, kind="safety")
    assert (task.subject_id, task.due_at, task.facts["rules"]) == (alert.pk, after(15), ["SR-03"])
    sam.refresh_from_db()
    assert sam.rank == Client.Rank.NOW
    waiting = Notice.objects.order_by("user__name").values_list("user__name", "template", "urgent")
    assert list(waiting) == [("Maya Torres", "urgent", True), ("Omar Haddad", "urgent", True)]
    assert Job.objects.filter(kind="deliver_notice").count() == 2
    assert AuditEvent.objects.filter(action="alert.opened", client_id=sam.pk).count() == 1


def test_messages_say_their_times_in_the_practices_zone_as_its_pages_do(sam: Client, maya: User) -> None:
    raised(sam)
    [notice] = Notice.objects.filter(user=maya)
    assert (notice.words["at"], notice.words["next_at"]) == ("10:00 am", "10:15 am")


def test_raise_alert_of_the_same_sitting_adds_to_the_open_flag(sam: Client) -> None:
    first = raised(sam, "priority", SR03)
    again = raised(sam, "priority", SR03, at=after(1))
    assert again.pk == first.pk
    assert Alert.objects.count() == 1
    assert again.rule_ids == ["SR-03"]
    assert kinds(again).count("opened") == 1


def test_severity_never_falls(sam: Client) -> None:
    alert = raised(sam, "urgent", SR03)
    lower = raised(sam, "routine", SR04, at=after(3))
    assert (lower.pk, lower.severity, lower.rule_ids) == (alert.pk, "urgent", ["SR-03", "SR-04"])
    assert (lower.raised_at, lower.climbs_at) == (NOW, after(15))


def test_rise_starts_the_ladder_again_and_clears_the_acknowledgement(sam: Client, maya: User) -> None:
    alert = raised(sam, "routine", SR04)
    assert actions.acknowledge(by=maya, alert=alert, at=after(5))
    risen = raised(sam, "urgent", SR03, at=after(30))
    assert (risen.severity, risen.raised_at, risen.rung) == ("urgent", after(30), 0)
    assert (risen.acknowledged_at, risen.acknowledged_by, risen.climbs_at) == (None, None, after(45))
    assert "rose" in kinds(risen)
    assert Notice.objects.filter(user=maya, urgent=True).count() == 1  # told anew, now by the urgent path
    assert Task.objects.get(client=sam, kind="safety").facts["acknowledged"] is False


def test_two_sittings_make_two_flags(sam: Client) -> None:
    raised(sam)
    actions.raise_alert(
        by=sam, client=sam, source="intake", source_id="2" * 8 + "-2222-2222-2222-" + "2" * 12,
        severity="routine", rules=[SR04], at=after(4),
    )  # fmt: skip
    assert sorted(Alert.objects.open().values_list("severity", flat=True)) == ["routine", "urgent"]
    assert Task.objects.filter(client=sam, kind="safety", done_at=None).count() == 2


def test_climb_tells_backup_supervisor_and_admin_by_elapsed_time(
    sam: Client, maya: User, ines: User, rosa: User
) -> None:
    maya.backup = ines
    maya.save()
    alert = raised(Client.objects.get(pk=sam.pk))
    assert actions.climb_alerts(at=after(14)) == 0
    assert actions.climb_alerts(at=after(15)) == 1
    assert actions.climb_alerts(at=after(30)) == 1
    assert actions.climb_alerts(at=after(60)) == 1
    assert told(alert) == [
        ("Maya Torres", "therapist", 0),
        ("Ines Duarte", "backup", 1),
        ("Sol Amari", "supervisor", 2),
        ("Rosa Bell", "admin", 3),
    ]
    alert.refresh_from_db()
    assert (alert.rung, alert.climbs_at) == (3, None)


def test_climb_with_a_jumped_clock_tells_each_missed_rung_once(sam: Client, ines: User, maya: User, rosa: User) -> None:
    maya.backup = ines
    maya.save()
    alert = raised(Client.objects.get(pk=sam.pk))
    assert actions.climb_alerts(at=after(600)) == 1
    assert actions.climb_alerts(at=after(600)) == 0
    assert [(who, rung) for who, _why, rung in told(alert)] == [
        ("Maya Torres", 0),
        ("Ines Duarte", 1),
        ("Sol Amari", 2),
        ("Rosa Bell", 3),
    ]
    assert kinds(alert).count("climbed") == 3


def test_climb_leaves_an_acknowledged_flag_alone(sam: Client, maya: User) -> None:
    alert = raised(sam)
    actions.acknowledge(by=maya, alert=alert, at=after(2))
    assert actions.climb_alerts(at=after(600)) == 0
    assert told(alert) == [("Maya Torres", "therapist", 0)]


def test_empty_rung_tells_the_next_one_instead(north: object, rosa: User) -> None:
    lone = factories.staff("Lone Therapist", "therapist")
    client = factories.client(lone, "Una Park")
    alert = raised(client)
    actions.climb_alerts(at=after(15))
    assert told(alert) == [("Lone Therapist", "therapist", 0), ("Rosa Bell", "admin", 1)]


def test_therapist_who_left_is_passed_over(sam: Client, maya: User, on_call: User) -> None:
    maya.is_active = False
    maya.save()
    assert told(raised(Client.objects.get(pk=sam.pk))) == [("Omar Haddad", "on_call", 0)]


def test_acknowledge_has_exactly_one_winner(sam: Client, maya: User, omar: User) -> None:
    alert = raised(sam)
    stale = Alert.objects.get(pk=alert.pk)
    assert actions.acknowledge(by=omar, alert=alert, at=after(3)) is True
    assert actions.acknowledge(by=maya, alert=stale, at=after(3)) is False
    assert (stale.acknowledged_by, stale.acknowledged_at) == (omar, after(3))
    assert kinds(alert).count("acknowledged") == 1
    assert AuditEvent.objects.filter(action="alert.acknowledged").count() == 1


def test_record_contact_picks_the_flag_up_and_moves_the_task(sam: Client, maya: User) -> None:
    alert = raised(sam)
    contact(maya, alert, after(10))
    alert.refresh_from_db()
    assert (alert.acknowledged_by, alert.is_open) == (maya, True)
    task = Task.objects.get(client=sam, kind="safety")
    assert (task.due_at, task.facts["contact"]) == (after(10) + timedelta(hours=24), "yes")


def test_contact_that_reached_the_client_ends_the_request_for_a_call(sam: Client, maya: User) -> None:
    alert = raised(sam)
    actions.client_did(client=sam, alert=alert, kind="call_wanted", at=after(1))
    assert Task.objects.filter(client=sam, kind="call_me", done_at=None).count() == 1
    contact(maya, alert, after(10), reached="no")
    assert Task.objects.filter(client=sam, kind="call_me", done_at=None).count() == 1
    contact(maya, alert, after(20))
    alert.refresh_from_db()
    assert (alert.call_wanted_at, Task.objects.filter(client=sam, kind="call_me", done_at=None).count()) == (None, 0)


def test_close_is_refused_before_a_contact_with_level_plan_and_next_check(sam: Client, maya: User) -> None:
    alert = raised(sam)
    with pytest.raises(NotNow, match="Record a contact with a level, a plan and the next check first"):
        actions.close_alert(by=maya, alert=alert, action="no_change", note="Fine", at=after(1))
    contact(maya, alert, after(2), reached="no", level="unknown")
    with pytest.raises(NotNow, match="Record a contact with a level"):
        actions.close_alert(by=maya, alert=alert, action="no_change", note="Fine", at=after(3))
    assert Alert.objects.get(pk=alert.pk).is_open


def test_close_is_refused_without_words(sam: Client, maya: User) -> None:
    alert = raised(sam)
    contact(maya, alert, after(2))
    with pytest.raises(NotNow, match="Write a line"):
        actions.close_alert(by=maya, alert=alert, action="no_change", note="  ", at=after(3))
    assert Alert.objects.get(pk=alert.pk).is_open


def test_close_keeps_the_words_and_leaves_the_next_check_to_do(sam: Client, maya: User) -> None:
    alert = raised(sam)
    check = contact(maya, alert, after(2)).next_check_at
    actions.close_alert(by=maya, alert=alert, action="safety_plan", note="Plan made with her", at=after(30))
    kept = Alert.objects.get(pk=alert.pk)
    assert (kept.closed_by, kept.action, kept.closing_note) == (maya, "safety_plan", "Plan made with her")
    assert list(Task.objects.filter(client=sam, done_at=None).values_list("kind", "subject_id", "due_at")) == [
        ("next_check", alert.pk, check)
    ]
    actions.finish_next_check(by=maya, alert=kept, words="Reached, doing better", at=after(1500))
    assert Task.objects.filter(client=sam, done_at=None).count() == 0


def test_next_check_waits_in_this_week_until_it_is_near(sam: Client, maya: User) -> None:
    alert = raised(sam)
    check = contact(maya, alert, after(2)).next_check_at
    actions.close_alert(by=maya, alert=alert, action="safety_plan", note="Plan made with her", at=after(30))
    sam.refresh_from_db()
    assert sam.rank == Client.Rank.WEEK
    assert Task.wake(check - AHEAD - timedelta(seconds=1)) == 0
    assert (Task.wake(check - AHEAD), Task.wake(check)) == (1, 0)
    sam.refresh_from_db()
    assert sam.rank == Client.Rank.NOW


def test_second_close_changes_nothing_and_names_the_first(sam: Client, maya: User, omar: User) -> None:
    alert = raised(sam)
    contact(maya, alert, after(2))
    stale = Alert.objects.get(pk=alert.pk)
    actions.close_alert(by=omar, alert=alert, action="safety_plan", note="Plan made", at=after(30))
    with pytest.raises(NotNow, match="Omar Haddad closed this flag first"):
        actions.close_alert(by=maya, alert=stale, action="no_change", note="Mine", at=after(31))
    kept = Alert.objects.get(pk=alert.pk)
    assert (kept.closed_by, kept.closing_note, kinds(kept).count("closed")) == (omar, "Plan made", 1)


def test_closed_flag_takes_no_contact_but_takes_added_words(sam: Client, maya: User) -> None:
    alert = raised(sam)
    contact(maya, alert, after(2))
    actions.close_alert(by=maya, alert=alert, action="safety_plan", note="Plan made", at=after(30))
    with pytest.raises(NotNow, match="This flag was closed"):
        contact(maya, Alert.objects.get(pk=alert.pk), after(40))
    before = list(alert.events.values_list("pk", flat=True))
    actions.add_to_alert(by=maya, alert=alert, words="The plan was from last week", at=after(50))
    events = list(alert.events.order_by("at"))
    assert [e.pk for e in events[:-1]] == sorted(before, key=[e.pk for e in events].index)
    assert (events[-1].kind, events[-1].words) == ("added", "The plan was from last week")
    assert Alert.objects.get(pk=alert.pk).closing_note == "Plan made"


def test_leaving_after_a_safety_answer_shows_on_the_caseload_item_until_the_client_is_back(sam: Client) -> None:
    alert = raised(sam)
    actions.client_did(client=sam, alert=alert, kind="left", at=after(4))
    assert Task.objects.get(client=sam, kind="safety").facts["left"] is True
    actions.client_did(client=sam, alert=alert, kind="came_back", at=after(9))
    assert Task.objects.get(client=sam, kind="safety").facts["left"] is False
    assert [k for k in kinds(alert) if k in ("left", "came_back")] == ["left", "came_back"]


def test_manual_flag_needs_words_and_takes_the_same_ladder(sam: Client, maya: User) -> None:
    with pytest.raises(NotNow, match="Write what you saw or heard"):
        actions.raise_manual_flag(by=maya, client=sam, severity="priority", reason=" ", at=NOW)
    alert = actions.raise_manual_flag(by=maya, client=sam, severity="priority", reason="Gave his dog away", at=NOW)
    kept = Alert.objects.get(pk=alert.pk)
    assert (kept.source, kept.reason, kept.rule_ids, kept.raised_by) == (
        "manual",
        "Gave his dog away",
        ["manual"],
        maya,
    )
    assert kept.climbs_at == after(30)


def test_drill_goes_to_the_people_on_call_and_closes_when_picked_up(rosa: User, on_call: User) -> None:
    drill = actions.run_drill(by=rosa, at=NOW)
    assert (drill.client, told(drill)) == (None, [("Omar Haddad", "on_call", 0)])
    actions.acknowledge(by=on_call, alert=drill, at=after(7))
    kept = Alert.objects.get(pk=drill.pk)
    assert (kept.is_open, kept.acknowledged_by, kept.minutes_to_acknowledge(after(90))) == (False, on_call, 7)
    with pytest.raises(NotNow, match="A drill has nobody to call"):
        contact(on_call, kept, after(8))


def test_alert_answers_and_words_are_sealed(sam: Client, maya: User) -> None:
    alert = actions.raise_alert(
        by=sam, client=sam, source="intake", source_id=SITTING, severity="urgent", rules=[SR03], at=NOW,
        answers=[{"question": "canary-question", "answer": "canary-answer"}],
    )  # fmt: skip
    contact(maya, alert, after(2), action="canary-action", plan="canary-plan")
    actions.add_to_alert(by=maya, alert=alert, words="canary-words", at=after(3))
    seen = ""
    for table in ("practice_alert", "practice_alertevent", "practice_safetycontact", "practice_auditevent"):
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT * FROM {table}")
            seen += repr([[bytes(v) if isinstance(v, memoryview) else v for v in row] for row in cursor.fetchall()])
    assert "canary" not in seen
    assert Alert.objects.get(pk=alert.pk).answers == [{"question": "canary-question", "answer": "canary-answer"}]


def test_finish_task_keeps_the_words_as_a_note_and_has_one_winner(sam: Client, maya: User, omar: User) -> None:
    task = Task.open(sam, "reconcile", at=NOW)
    with pytest.raises(NotNow, match="Write what was done"):
        actions.finish_task(by=maya, task=task, words="", at=after(1))
    actions.finish_task(by=maya, task=task, words="Item 9 was about last week", at=after(2))
    with pytest.raises(NotNow, match="Maya Torres finished this first"):
        actions.finish_task(by=omar, task=task, words="Same", at=after(3))
    assert [note.body for note in Note.objects.filter(client=sam)] == ["Item 9 was about last week"]
    sam.refresh_from_db()
    assert sam.rank == Client.Rank.STEADY


@pytest.mark.django_db(transaction=True)
def test_two_people_at_the_same_moment_have_one_winner() -> None:
    """Real threads, each with a connection of its own (security check 68)."""
    factories.practice()
    people = [factories.staff(name, "therapist") for name in ("Ana One", "Ben Two", "Cy Three", "Di Four")]
    alert = raised(factories.client(people[0], "Una Park"))
    start, wins = threading.Barrier(len(people)), []

    def press(person: User) -> None:
        mine = Alert.objects.get(pk=alert.pk)
        start.wait()
        wins.append((actions.acknowledge(by=person, alert=mine, at=after(1)), mine.acknowledged_by))
        connection.close()

    threads = [threading.Thread(target=press, args=[person]) for person in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(won for won, _by in wins) == [False, False, False, True]
    assert len({by for _won, by in wins}) == 1
    assert kinds(alert).count("acknowledged") == 1
