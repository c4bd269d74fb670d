"""What is measured: for each job, the requests of the product and of the floor that do the same."""

import secrets
from collections.abc import Callable
from functools import cached_property
from itertools import cycle, islice
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from django.db import connection, transaction
from django.urls import reverse
from django.utils import timezone

from bench.measure import Ask
from bench.seed import FIRST_NUMBER, PINNED, Person, put
from intake import actions, packet
from intake.doors import KEY
from intake.models import Answer, Intake
from practice.kap.demo import answers
from practice.models import Client, User
from referrals import desk_doors
from referrals.models import DeskKey, Referral

MOST_SUBMITS = 40  # each needs a sitting of its own
TOKEN = "b" * 32  # the bench's own form token, in cookie and form alike


class Scene:
    """Who is signed in, and whose pages are asked for."""

    def __init__(self) -> None:
        self.last = FIRST_NUMBER + sum(PINNED) - 1  # the client who gave answers last

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
        now = timezone.now().timestamp()
        return browser(
            {
                SESSION_KEY: str(user.pk),
                BACKEND_SESSION_KEY: settings.AUTHENTICATION_BACKENDS[0],
                HASH_SESSION_KEY: user.get_session_auth_hash(),
                "second_factor": True,
                "started": now,
                "seen": now + AHEAD_S,
            }
        )

    @transaction.atomic
    def sitting(self, numbers: answers.Sitting) -> Intake:
        """A check-in with every question answered, of a client who is on nobody's pinned caseload: the next in line."""
        at = timezone.now()
        waiting = Client.objects.exclude(invitations__state__in=actions.OPEN).filter(number__gt=self.last)
        client = waiting.order_by("number")[0]
        self.last = client.number
        begun = actions.start(invitation=actions.invite(by=None, client=client, key="check-in", at=at), at=at)
        wanted = packet.load("check-in")
        given = answers.give(wanted, PERSON, numbers, {"drugs": DRUGS, "story": [""], "hopes": [""]}, at.date())
        if not numbers.has_sign:
            rows = [Answer(intake=begun, question=slug, at=at) for slug in given]
            for row in rows:
                row.value = given[row.question].value
            Answer.objects.bulk_create(rows)
            return begun
        for slug, reply in given.items():
            actions.save_answer(by=client, sitting=begun, page=wanted.by_slug[slug], value=reply.value, at=at)
        return begun

    def client(self, sitting: Intake) -> dict[str, str]:
        """Headers of the browser in which these answers were given."""
        now = timezone.now().timestamp()
        link = {"invitation": str(sitting.invitation_id), "intake": str(sitting.pk)}
        return browser({KEY: link | {"at": now + AHEAD_S, "since": now, "receipt": False}})

    def clinic(self) -> dict[str, str]:
        """Headers of a browser in which the first clinic showed its code."""
        now = timezone.now().timestamp()
        key = DeskKey.objects.get(destination__name="Bench Clinic 0")
        return browser(
            {desk_doors.KEY: {"key": str(key.pk), "locked": False, "at": now + AHEAD_S, "since": now, "name": ""}}
        )

    def limit_sitting(self) -> int:
        """The same on the floor."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT coalesce(max(id), 0) + 1 FROM limit_sitting")
            number = int(cursor.fetchone()[0])
        at = timezone.now().isoformat()
        put("limit_sitting", ("id", "client_id", "saved_at"), [(number, sum(PINNED) + number, at)])
        said = [(f"{key}/{n}", str(n % 2)) for key, items in (("phq-9", 9), ("gad-7", 7)) for n in range(1, items + 1)]
        put("limit_answer", ("sitting_id", "question", "value", "at"), [(number, *each, at) for each in said])
        return number


AHEAD_S = 120  # sessions that were just used: within a sample their clock is not written anew
PERSON = {"name": "Bench", "pronouns": "", "born": "1990-01-01", "email": "", "phone": ""}
DRUGS = [["sertraline", 150], ["bupropion", 300]]
MILD, FLAGGED = answers.Sitting(8, 0, gad7=6), answers.Sitting(17, 1, "moderate", 9)


def browser(session: dict[str, Any]) -> dict[str, str]:
    store = SessionStore()
    store.update(session)
    store.save()
    return {"Cookie": f"{settings.SESSION_COOKIE_NAME}={store.session_key}"}


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


def referral_list(scene: Scene, side: str, n: int) -> list[Ask]:
    """Fifty open referrals of one therapist, in the order in which their clocks run out."""
    if side == "limit":
        return [Ask("GET", f"/referrals/{limit_therapist(0)}/", 200)] * n
    return [Ask("GET", reverse("referrals"), 200, headers=scene.staff(scene.therapists[0]))] * n


def clinic_desk(scene: Scene, side: str, n: int) -> list[Ask]:
    """The same fifty, as the clinic sees them past its code."""
    if side == "limit":
        return [Ask("GET", "/desk/0/", 200)] * n
    return [Ask("GET", reverse("desk"), 200, headers=scene.clinic())] * n


def packet_page(scene: Scene, side: str, n: int) -> list[Ask]:
    if side == "limit":
        return [Ask("GET", "/packet/1/", 200)] * n
    path = reverse("packet", args=[Referral.objects.get(client=scene.clients[0]).pk])
    return [Ask("GET", path, 200, headers=scene.staff(scene.therapists[0]))] * n


def autosave(scene: Scene, side: str, n: int, slug: str = "gad-7--1") -> list[Ask]:
    """One question answered again and again, each time otherwise."""
    if side == "limit":
        path = f"/autosave/{scene.limit_sitting()}/"
        return [_plain_post(path, 204, question="gad-7/1", value=i % 4) for i in range(n)]
    sitting = scene.sitting(MILD)
    headers, path = scene.client(sitting), reverse("my_save", args=[slug])
    return [Ask("POST", path, 204, **form(headers, answer=i % 4)) for i in range(n)]


def question(scene: Scene, side: str, n: int) -> list[Ask]:
    """A question page; the floor has none, its autosave stands in."""
    if side == "limit":
        return autosave(scene, side, n)
    headers = scene.client(scene.sitting(MILD))
    return [Ask("GET", reverse("my_page", args=["phq-9--3"]), 200, headers=headers)] * n


def submit(scene: Scene, side: str, n: int, numbers: answers.Sitting = MILD) -> list[Ask]:
    n = min(n, MOST_SUBMITS)
    if side == "limit":
        return [_plain_post(f"/submit/{scene.limit_sitting()}/", 302) for _ in range(n)]
    path = reverse("my_send")
    return [Ask("POST", path, 303, **form(scene.client(scene.sitting(numbers)))) for _ in range(n)]


def submit_flagged(scene: Scene, side: str, n: int) -> list[Ask]:
    """Answers whose safety flag is open already when they are sent."""
    return submit(scene, side, n, FLAGGED)


def _plain_post(path: str, expect: int, **fields: Any) -> Ask:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    return Ask("POST", path, expect, body=urlencode(fields).encode(), headers=headers)


def limit_therapist(place: int) -> int:
    """The floor counts therapists by the place in the list of the product's staff."""
    return place


Job = Callable[[Scene, str, int], list[Ask]]
JOBS: dict[str, Job] = {
    "question": question,
    "autosave": autosave,
    "submit": submit,
    "submit flagged": submit_flagged,
    "caseload": caseload,
    "caseload 200": caseload_of_200,
    "chart": chart,
    "chart 60": long_chart,
    "search": search,
    "referral list": referral_list,
    "clinic desk": clinic_desk,
    "packet page": packet_page,
}


WEIGHED = ("question", "caseload", "chart", "search", "referral list", "clinic desk", "packet page")


def pages(scene: Scene) -> dict[str, Ask]:
    """Pages whose weight is kept."""
    return {name: JOBS[name](scene, "product", 1)[0] for name in WEIGHED}
