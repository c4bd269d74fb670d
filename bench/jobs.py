"""What is measured: for each job, the requests of the product and of the floor that do the same."""

import secrets
from collections.abc import Callable
from functools import cached_property
from itertools import count, cycle, islice
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from django.urls import reverse
from django.utils import timezone

from bench.measure import Ask
from bench.seed import PINNED, Person
from practice.models import Client, User

TOKEN = "b" * 32  # the bench's own form token, in cookie and form alike


class Scene:
    """Who is signed in, and whose pages are asked for."""

    def __init__(self) -> None:
        self.numbers = count(1)

    @cached_property
    def therapists(self) -> list[User]:
        """Those whose caseloads are equal at every size, in the order of PINNED."""
        return [User.objects.get(name=f"Therapist of {size}") for size in PINNED]

    @cached_property
    def clients(self) -> list[Client]:
        """The pinned clients, in the order they were made."""
        return list(Client.objects.filter(therapist__in=self.therapists).order_by("number"))

    def staff(self, user: User) -> dict[str, str]:
        """Headers of a browser in which this person has signed in, second factor and all."""
        session, now = SessionStore(), timezone.now().timestamp()
        session.update(
            {
                SESSION_KEY: str(user.pk),
                BACKEND_SESSION_KEY: settings.AUTHENTICATION_BACKENDS[0],
                HASH_SESSION_KEY: user.get_session_auth_hash(),
                "second_factor": True,
                "started": now,
                "seen": now + 10,  # within a sample the clock of the session is not written anew
            }
        )
        session.save()
        return {"Cookie": f"{settings.SESSION_COOKIE_NAME}={session.session_key}"}


def form(headers: dict[str, str], **fields: Any) -> dict[str, Any]:
    """Body and headers of a form as a page of ours would send it."""
    body = urlencode({"csrfmiddlewaretoken": TOKEN, "form_key": secrets.token_urlsafe(24), **fields}, doseq=True)
    return {
        "body": body.encode(),
        "headers": headers
        | {
            "Cookie": f"{headers.get('Cookie', '')}; {settings.CSRF_COOKIE_NAME}={TOKEN}",
            "Content-Type": "application/x-www-form-urlencoded",
        },
    }


def caseload(scene: Scene, side: str, n: int, place: int = 0) -> list[Ask]:
    if side == "limit":
        return [Ask("GET", f"/caseload/{limit_therapist(place)}/", 200)] * n
    return [Ask("GET", reverse("caseload"), 200, headers=scene.staff(scene.therapists[place]))] * n


def caseload_of_200(scene: Scene, side: str, n: int) -> list[Ask]:
    return caseload(scene, side, n, place=1)


def chart(scene: Scene, side: str, n: int, which: int = 0) -> list[Ask]:
    if side == "limit":
        return [Ask("GET", f"/chart/{which + 1}/", 200)] * n
    path = reverse("chart", args=[scene.clients[which].pk])
    return [Ask("GET", path, 200, headers=scene.staff(scene.therapists[0]))] * n


def long_chart(scene: Scene, side: str, n: int) -> list[Ask]:
    return chart(scene, side, n, which=1)


def search(scene: Scene, side: str, n: int) -> list[Ask]:
    """Beginnings of names of the pinned clients, three letters each."""
    asked = islice(cycle(sorted({Person(i).name[:3] for i in range(PINNED[0])})), n)
    if side == "limit":
        return [Ask("GET", f"/search/{limit_therapist(0)}/?q={start}", 200) for start in asked]
    headers = scene.staff(scene.therapists[0])
    return [Ask("GET", f"{reverse('search')}?q={start}", 200, headers=headers) for start in asked]


def limit_therapist(place: int) -> int:
    """The floor counts therapists by the place in the list of the product's staff."""
    return place


Job = Callable[[Scene, str, int], list[Ask]]
JOBS: dict[str, Job] = {
    "caseload": caseload,
    "caseload 200": caseload_of_200,
    "chart": chart,
    "chart 60": long_chart,
    "search": search,
}


def pages(scene: Scene) -> dict[str, Ask]:
    """Pages whose weight is kept."""
    return {name: JOBS[name](scene, "product", 1)[0] for name in ("caseload", "chart", "search")}
