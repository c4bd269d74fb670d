"""A practice that moves, attacked: who said STOP there has said it here."""

from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from practice import stops
from practice.models import Client, Stop
from tests.factories import NOW
from tests.practice.test_moving_in import empty_all, exported, taken

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("channel", [stops.SMS, stops.EMAIL])
def test_stop_moves_with_the_practice_and_start_ends_it(
    channel: Any, sam: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Feature J4: it holds for the number, whatever is changed of the client afterwards, until START."""
    monkeypatch.setattr(settings, "DATA_DIR", tmp_path / "data")
    (tmp_path / "data").mkdir()
    address = sam.phone if channel == stops.SMS else sam.email
    stops.stop(channel=channel, address=address, at=NOW)
    place = exported(tmp_path / "out")
    empty_all()
    taken(place)
    assert Stop.objects.of(channel, address).get().at == NOW
    sam = Client.objects.get()
    sam.set_identity(phone=sam.phone, email=sam.email)
    since = sam.texts_stopped_at if channel == stops.SMS else sam.mails_stopped_at
    assert since == NOW
    assert stops.start(channel=channel, address=address, at=NOW) is True
    sam.refresh_from_db()
    assert (sam.texts_stopped_at, sam.mails_stopped_at) == (None, None)
