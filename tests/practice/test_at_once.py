"""Two members of staff at the same instant: neither reads "not saved" because of the other."""

import pytest

from practice import staff
from practice.actions import write_note
from practice.models import Client, Note, User
from tests.at_once import MARKS, both
from tests.factories import NOW

pytestmark = MARKS


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
