"""Two members of staff, or one and a stop by text, at the same instant: neither reads "not saved" for the other."""

import pytest

from practice import staff, stops
from practice.actions import acknowledge, raise_manual_flag, write_note
from practice.models import Alert, Client, Note, Stop, Task, User
from tests import factories
from tests.at_once import MARKS, Act, both
from tests.factories import NOW

pytestmark = MARKS


def flag(client: Client, by: User) -> Act:
    return lambda: raise_manual_flag(by=by, client=client, severity="urgent", reason="Said so.", at=NOW)


@pytest.mark.parametrize("order", [1, -1], ids=["note first", "change first"])
def test_note_is_kept_while_its_writer_is_changed(maya: User, sam: Client, rosa: User, order: int) -> None:
    """Law 4: who changes a person's row keeps nobody from writing in that person's name."""
    note = lambda: write_note(by=maya, client=sam, words="Slept better.", at=NOW)  # noqa: E731
    change = lambda: staff.change_person(  # noqa: E731
        by=rosa, person=maya, name="Maya B. Okafor", email=maya.email, licence="", roles=maya.roles,
        sites=maya.sites.all(), supervisor=None, backup=None,
    )  # fmt: skip
    assert both(*[note, change][::order]) == []
    maya.refresh_from_db()
    assert (maya.name, Note.objects.get().by) == ("Maya B. Okafor", maya)


@pytest.mark.parametrize("order", [1, -1], ids=["note first", "flag first"])
def test_note_that_ends_an_item_and_a_flag_are_both_kept(maya: User, sam: Client, order: int) -> None:
    """The note is in the trail before its item moves the client in the caseload; the flag holds the client first."""
    Task.open(sam, "quiet", at=NOW)
    note = lambda: write_note(by=maya, client=sam, words="We spoke.", at=NOW)  # noqa: E731
    assert both(*[note, flag(sam, maya)][::order]) == []
    assert (Alert.objects.count(), Task.objects.filter(kind="quiet", done_at=NOW).count()) == (1, 1)


@pytest.mark.parametrize("order", [1, -1], ids=["leaving first", "flag first"])
def test_flag_is_kept_while_somebody_leaves(
    maya: User, omar: User, sam: Client, kit: Client, rosa: User, order: int
) -> None:
    """Law 1: maya's clients are in the trail before the flag that she picked up for a colleague is handed back."""
    flag(kit, omar)()
    acknowledge(by=maya, alert=Alert.objects.get(), at=NOW)
    leave = lambda: staff.let_go(  # noqa: E731
        by=rosa, person=maya, therapist=omar, prescriber=None, supervisor=None, at=NOW
    )
    assert both(*[leave, flag(kit, omar)][::order]) == []
    sam.refresh_from_db()
    maya.refresh_from_db()
    assert (sam.therapist, maya.is_active, Alert.objects.filter(client=kit, acknowledged_at=None).count()) == (
        omar, False, 2,
    )  # fmt: skip


@pytest.mark.parametrize("order", [1, -1], ids=["stop first", "flag first"])
def test_stop_of_a_number_that_two_share_and_a_flag_are_both_kept(
    omar: User, sam: Client, kit: Client, order: int
) -> None:
    """Several clients in one transaction are held before the trail is, always in one order."""
    kit = factories.client(omar, "Kim Larkspur")  # with the number of sam
    stop = lambda: stops.stop(channel=stops.SMS, address=sam.phone, at=NOW)  # noqa: E731
    assert both(*[stop, flag(kit, omar)][::order]) == []
    found = Client.objects.filter(pk__in=(sam.pk, kit.pk), texts_stopped_at=NOW)
    assert (found.count(), Stop.objects.count(), Alert.objects.filter(client=kit).count()) == (2, 1, 1)
