"""The other deployment: jobs go to a real Celery worker over a real Redis. What they do is in the Job table."""

import json
import re
import time
from collections.abc import Callable
from typing import Any

import pytest

from practice.schedule import PERIODIC
from tests.system.house import BlackHole, House, wait_for

pytestmark = pytest.mark.worker

NOTICES = "from practice.models import Notice; say(sorted(Notice.objects.values_list('channel', 'state')))"
DONE = "from practice.models import Job; say(Job.objects.filter(kind='deliver_notice', state='done').count())"
SENT = [["email", "sent"], ["sms", "sent"]]


def redis_of(url: str) -> Any:
    import redis

    return redis.Redis.from_url(url, decode_responses=True)


def test_worker_does_the_jobs_and_the_broker_sees_ids_only(
    house: House, broker: str, open_postbox: Callable[..., Any]
) -> None:
    box, port = open_postbox()
    house.settings |= {"EMAIL_URL": f"smtp://127.0.0.1:{port}", "CELERY_BROKER_URL": broker}
    people = house.furnish()
    house.serve("--workers", "1")
    answer, took_s = house.raise_flag(people, "canary words")
    assert (answer.status in (302, 303), took_s < 2) == (True, True)
    with redis_of(broker) as server:
        (name,) = wait_for(lambda: [key for key in server.keys("*") if server.type(key) == "list"])
        carried = server.lrange(name, 0, -1)
    jobs = house.ask("from practice.models import Job; say(list(Job.objects.values_list('pk', flat=True)))")
    seen = [json.loads(text) for text in carried]
    import base64

    assert {json.loads(base64.b64decode(m["body"]))[0][0] for m in seen} <= set(jobs)
    assert {m["content-type"] for m in seen} == {"application/json"}
    assert [w for w in ("canary words", "Sam", people["clients"][0], "example") if w in " ".join(carried)] == []
    house.work()
    wait_for(lambda: house.ask(NOTICES) == SENT, within_s=60)
    assert len(box.messages) == 1


def test_beat_and_worker_do_the_periodic_jobs_once_a_slot(house: House, broker: str) -> None:
    house.settings["CELERY_BROKER_URL"] = broker
    house.furnish()
    house.beat()
    house.beat()  # a second scheduler by mistake
    house.work()
    slots = (
        "from practice.models import Job; "
        "say(list(Job.objects.filter(state='done').values_list('dedupe_key', flat=True)))"
    )

    def every_kind() -> Any:
        found = house.ask(slots)
        return len({key.split(":")[0] for key in found}) == len(PERIODIC) and found

    done = wait_for(every_kind, within_s=60)
    assert len(done) == len(set(done))


def test_worker_killed_in_the_middle_of_a_job_loses_nothing(
    house: House, broker: str, open_postbox: Callable[..., Any], black_hole: BlackHole
) -> None:
    """Reliability row 9: kill -9; the sweeper finishes the job, once."""
    house.settings |= {"EMAIL_URL": f"smtp://127.0.0.1:{black_hole.port}", "CELERY_BROKER_URL": broker}
    people = house.furnish()
    web = house.serve("--workers", "1")
    worker = house.work()
    house.raise_flag(people, "reason")
    busy = (
        "from practice.models import Job; "
        "say(Job.objects.filter(kind='deliver_notice', state='due', attempts=1, lease_until__isnull=False).count())"
    )
    wait_for(lambda: house.ask(busy) == 1, within_s=60)
    house.kill(worker)
    black_hole.close()
    box, _ = open_postbox(black_hole.port)
    house.kill(web)
    house.ask(  # the lease of the dead worker runs out
        "from practice.models import Job; from django.utils import timezone; from datetime import timedelta\n"
        "Job.objects.exclude(lease_until=None).update(lease_until=timezone.now() - timedelta(seconds=1))"
    )
    house.work()
    house.beat()
    wait_for(lambda: house.ask(NOTICES) == SENT, within_s=90)
    time.sleep(1)
    assert (len(box.messages), house.ask(DONE)) == (1, 2)
    assert len(list((house.home / "data" / "sms").glob("*.txt"))) == 1


def test_broker_that_hangs_keeps_nobody_waiting(
    house: House, broker: str, open_postbox: Callable[..., Any], black_hole: BlackHole
) -> None:
    """Reliability row 10: the act is done in under two seconds; the worker finds it in the table afterwards."""
    box, port = open_postbox()
    house.settings["EMAIL_URL"] = f"smtp://127.0.0.1:{port}"
    people = house.furnish()
    web = house.serve("--workers", "1", CELERY_BROKER_URL=f"redis://127.0.0.1:{black_hole.port}/0")
    took = [house.raise_flag(people, f"reason {n}") for n in range(4)]
    assert [answer.status in (302, 303) for answer, _ in took] == [True] * 4
    assert max(seconds for _, seconds in took) < 2
    assert box.messages == []
    house.kill(web)
    house.work(CELERY_BROKER_URL=broker)
    house.beat(CELERY_BROKER_URL=broker)
    wait_for(lambda: len(box.messages) == 4, within_s=90)
    ids = re.findall(r"^Message-ID: (.*)", "\n".join(box.messages), re.MULTILINE | re.IGNORECASE)
    assert len(set(ids)) == 4


def test_broker_that_refuses_is_no_trouble_either(house: House) -> None:
    people = house.furnish()
    house.serve("--workers", "1", CELERY_BROKER_URL="redis://127.0.0.1:9/0")
    answer, took_s = house.raise_flag(people, "reason")
    assert (answer.status in (302, 303), took_s < 2) == (True, True)
    assert house.ask(NOTICES) == [["email", "waiting"], ["sms", "waiting"]]
