import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.system.house import BlackHole, House, drop_database, free_port, new_database, new_name


@pytest.fixture(scope="session")
def static_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("static")
    House(tmp_path_factory.mktemp("empty"), folder, "").manage("collectstatic", "--no-input", "--verbosity", "0")
    return folder


@pytest.fixture(scope="session")
def blank(
    tmp_path_factory: pytest.TempPathFactory, static_files: Path, django_db_setup: None, django_db_blocker: Any
) -> Iterator[House]:
    """A migrated, empty installation that the others are copies of."""
    name = new_name()
    with django_db_blocker.unblock():
        found = House(tmp_path_factory.mktemp("blank"), static_files, new_database(name))
    found.manage("migrate", "--no-input", "--verbosity", "0")
    found.manage("keys", "check")
    yield found
    with django_db_blocker.unblock():
        drop_database(name)


@pytest.fixture
def house(tmp_path: Path, blank: House, django_db_blocker: Any) -> Iterator[House]:
    """An empty installation; nothing of it runs yet."""
    name = new_name()
    with django_db_blocker.unblock():
        found = House(tmp_path, blank.static, new_database(name, like=blank.database_url.rpartition("/")[2]))
    if not found.database_url:
        shutil.copytree(blank.home / "data", tmp_path / "data")
    yield found
    found.close()
    with django_db_blocker.unblock():
        drop_database(name)


class Postbox:
    """A mail server that keeps what it is given, and knows some addresses not."""

    def __init__(self) -> None:
        self.messages: list[str] = []
        self.unknown: set[str] = set()

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address in self.unknown:
            return "550 5.1.1 No such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        self.messages.append(str(envelope.content, "utf-8", "replace") if envelope.content else "")
        return "250 OK"


@pytest.fixture
def open_postbox() -> Iterator[Callable[..., tuple[Postbox, int]]]:
    opened = []

    def open_one(port: int = 0) -> tuple[Postbox, int]:
        box = Postbox()
        chosen = port or free_port()
        controller = Controller(box, hostname="127.0.0.1", port=chosen)
        controller.start()
        opened.append(controller)
        return box, chosen

    yield open_one
    for controller in opened:
        controller.stop()


@pytest.fixture
def black_hole() -> Iterator[BlackHole]:
    hole = BlackHole()
    yield hole
    hole.close()


@pytest.fixture
def broker() -> Iterator[str]:
    """A real Redis (or Valkey), a numbered database of it for each process of the test run, emptied."""
    url = os.environ.get("TEST_REDIS_URL")
    if not url:
        pytest.skip("no Redis: set TEST_REDIS_URL, or run bin/test")
    import redis

    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 15 + 1
    mine = url.rsplit("/", 1)[0] + f"/{number}"
    with redis.Redis.from_url(mine) as server:
        server.flushdb()
        yield mine
        server.flushdb()
