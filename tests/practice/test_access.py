"""Who sees whom: `ClientQuerySet.visible_to` and the table of roles, allow and deny."""

import pytest
from django.core.exceptions import PermissionDenied
from django.http import Http404

from practice import actions
from practice.access import Permission, Role
from practice.models import Client, Note, Practice, User
from tests import factories
from tests.factories import NOW


@pytest.fixture
def far(ines: User) -> Client:
    return factories.client(ines, "Far Away", email="far@example.net", phone="+1 202 555 0111")


def seen(user: User, permission: Permission = Permission.SEE_CLIENT) -> set[str]:
    return {c.name for c in Client.objects.visible_to(user, permission)}


def test_each_role_sees_its_own_reach(
    sam: Client,
    kit: Client,
    far: Client,
    maya: User,
    omar: User,
    ines: User,
    sol: User,
    pax: User,
    fay: User,
    rosa: User,
) -> None:
    assert {
        "maya": seen(maya), "omar": seen(omar), "ines": seen(ines), "sol": seen(sol), "pax": seen(pax),
        "fay": seen(fay), "rosa": seen(rosa),
    } == {
        "maya": {"Sam Whitehorse"}, "omar": {"Kit Larkspur"}, "ines": {"Far Away"}, "sol": {"Sam Whitehorse"},
        "pax": {"Sam Whitehorse"}, "fay": {"Sam Whitehorse", "Kit Larkspur"},
        "rosa": {"Sam Whitehorse", "Kit Larkspur", "Far Away"},
    }  # fmt: skip


def test_front_desk_and_admin_read_no_charts(sam: Client, kit: Client, fay: User, rosa: User) -> None:
    assert seen(fay, Permission.READ_CHART) == seen(rosa, Permission.READ_CHART) == set()


def test_admin_who_is_also_a_therapist_reads_only_their_own_charts(sam: Client, kit: Client, north) -> None:  # type: ignore[no-untyped-def]
    both = factories.staff("Both Worlds", Role.ADMIN, Role.THERAPIST, sites=(north,))
    factories.client(both, "Own Person", email="own@example.net", phone="+1 202 555 0112")
    assert seen(both) == {"Sam Whitehorse", "Kit Larkspur", "Own Person"}
    assert seen(both, Permission.READ_CHART) == {"Own Person"}


def test_staff_who_left_see_nobody(sam: Client, gone: User) -> None:
    sam.therapist = gone
    sam.save()
    assert seen(gone) == set()


def test_foreign_row_is_not_found_and_own_row_without_permission_is_denied(
    sam: Client, maya: User, omar: User, rosa: User
) -> None:
    assert Client.objects.get_for(maya, Permission.READ_CHART, sam.pk) == sam
    with pytest.raises(Http404):
        Client.objects.get_for(omar, Permission.READ_CHART, sam.pk)
    with pytest.raises(PermissionDenied):
        Client.objects.get_for(rosa, Permission.READ_CHART, sam.pk)


def test_colleague_who_was_told_of_an_alert_sees_the_client_until_it_closes(
    sam: Client, maya: User, omar: User, on_call: User
) -> None:
    alert = actions.raise_manual_flag(by=maya, client=sam, severity="urgent", reason="Said goodbye", at=NOW)
    assert seen(omar, Permission.READ_CHART) == {"Sam Whitehorse"}
    actions.record_contact(
        by=omar, alert=alert, recorded_at=NOW, reached="yes", at=NOW, level="low", action="Called", plan="Plan",
        next_check_at=NOW,
    )  # fmt: skip
    actions.close_alert(by=omar, alert=alert, action="no_change", note="Assessed by phone", at=NOW)
    assert "Sam Whitehorse" not in seen(omar)


def test_records_follow_their_client(sam: Client, kit: Client, maya: User, omar: User, house: Practice) -> None:
    note = Note(client=sam, by=maya, at=NOW)
    note.body = "Slept badly."
    note.save()
    assert (list(Note.objects.visible_to(maya)), list(Note.objects.visible_to(omar))) == ([note], [])
