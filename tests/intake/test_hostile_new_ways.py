"""The new ways in, attacked: entered by staff, begun by oneself, own packets, brought instruments, pauses, texts."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client as Browser

from intake import actions, issuing, pieces
from practice.models import Alert, Client, User
from tests.factories import NOW
from tests.intake.conftest import Phone

As = Callable[[User], Browser]
pytestmark = pytest.mark.usefixtures("clock")


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
