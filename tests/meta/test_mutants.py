"""Security check 19: a permission function that says yes to everybody, or the opposite of the truth, is noticed.

What notices is the table of access (test_matrix), here on a few of its pages. The gates of disclosure are tested reason
by reason in tests/referrals/test_disclosure.py, the notes of an author in tests/practice/test_notes.py.
"""

from collections.abc import Callable
from typing import Any

import pytest
from django.urls import reverse

from practice.models import User
from practice.models.alerts import AlertQuerySet
from practice.models.clients import ClientQuerySet, RecordQuerySet
from tests.meta import matrix
from tests.meta.matrix import ROLES, World
from tests.meta.test_doors import patterns
from tests.meta.test_matrix import ask, rows, world

__all__ = ["world"]

Function = Callable[..., Any]
PAGES = ("chart", "alert_open", "assessment", "referral", "plan", "people", "audit_log")
WHO = ("own", "colleague", "supervisor", "front_desk", "admin")


def every_row(real: Function) -> Function:
    return lambda self, *asked: self.all()


def other_rows(real: Function) -> Function:
    return lambda self, *asked: self.exclude(pk__in=list(real(self, *asked).values_list("pk", flat=True)))


def yes(real: Function) -> Function:
    return lambda self, permission: True


def opposite(real: Function) -> Function:
    return lambda self, permission: not real(self, permission)


MUTANTS = [
    (User, "may", yes),
    (User, "may", opposite),
    *((rows_of, "visible_to", mutant) for rows_of in (ClientQuerySet, RecordQuerySet, AlertQuerySet)
      for mutant in (every_row, other_rows)),
]  # fmt: skip


def answers(world: World, cookies: dict[str, Any]) -> dict[tuple[str, str], str]:
    found = {}
    for name in PAGES:
        (pattern,) = (p for p in patterns() if p.name == name)
        url = reverse(name, kwargs=world.arguments(*matrix.name_and_arguments(pattern)))
        found |= {(name, role): ask(cookies, role, "GET", url) for role in WHO}
    return found


def test_a_permission_function_that_lies_is_noticed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    table = rows()
    expected = {(name, role): table["GET", name][ROLES.index(role)] for name in PAGES for role in WHO}
    cookies = matrix.sign_everybody_in(world)
    assert answers(world, cookies) == expected
    unnoticed = []
    for owner, name, mutant in MUTANTS:
        with monkeypatch.context() as lie:
            lie.setattr(owner, name, mutant(getattr(owner, name)))
            try:
                same = answers(world, cookies) == expected
            except AssertionError:  # a page told somebody a word of the client
                same = False
        if same:
            unnoticed.append((owner.__name__, name, mutant.__name__))
    assert unnoticed == []
