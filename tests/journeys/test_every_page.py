"""Every page somebody may open, seeded, empty and with an error (browser check 40, budgets of ux 2.10, security 63).

The list is the checked-in table of who may open what, so a new page is walked the moment it has its row there. Each is
looked at 1440 and 390 pixels wide, light and dark: axe, no sideways scroll, no word of the browser about our own rules,
one origin.
"""

import gzip
import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import date
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Page
from playwright.sync_api import TimeoutError as PlaywrightTimeout

from intake import packet
from intake.actions import home_invitation
from practice import safety_plan
from practice.models import Client, SafetyPlan, User
from tests import factories
from tests.homes import code_sent
from tests.journeys.conftest import AXE, AXE_RULES, DESK, PHONE, Window, keep_picture, sideways
from tests.journeys.walking import begun, come_in, invited, press, say, sent
from tests.meta import matrix, test_matrix
from tests.meta.test_doors import patterns

# Whose eyes see a page: the first of these who may open it.
EYES = ("own", "supervisor", "admin", "front_desk", "anonymous")
ALSO = {"front_desk": ("caseload", "search", "client_edit", "client_invite"), "admin": ("caseload", "alerts")}
ELSEWHERE = {"link_open", "link_new", "my_locked"}  # the client's; and what is no page: a file, a machine's answer
NO_PAGE = {
    "healthz",
    "texts_in",
    "leave",
    "agreement_copy",
    "release_copy",
    "mfa_download_recovery_codes",
    "safety_plan_pdf",
    "safety_plan_worker",
    "session_worker",
    "chaperone_worker",
    "chaperone_news",
    "packet_pdf",
    "fax_cover",
    "letter_file",
    "export_file",
    "report_csv",
    "report_count_csv",
    "report_count_pdf",
    "report_count_rows_csv",
    "report_file_new",
    "report_file_get",
    "report_csv_named",
    "report_xlsx",
    "report_xlsx_named",
    "feed",
    "client_access_file",
    "instrument_file",
    "medicine_page",
}
HTML_KB = {"client": 8, "staff": 20}
CSS_KB = {"client": 6, "staff": 10}
JS_KB = {"client": 4, "staff": 8}


def opened() -> Iterator[tuple[str, str]]:
    """(url name, role) of every page to look at, from the table of the access matrix."""
    for (method, name), statuses in test_matrix.rows().items():
        if method != "GET" or name in ELSEWHERE | NO_PAGE:
            continue
        may = [role for role in EYES if statuses[matrix.ROLES.index(role)] == "200"]
        yield from ((name, role) for role in may[:1])
        yield from ((name, role) for role in ALSO if name in ALSO[role] and role in may[1:])


class Eyes:
    """A window with what it saw: pages that fell short, and the weight of each."""

    def __init__(self, page: Page, side: str) -> None:
        self.page, self.side = page, side
        self.fell_short: list[str] = []
        self.seen: list[str] = []
        self.weights: dict[str, int] = {}

    def weight(self, url: str) -> int:
        """Of a file as it is sent, in bytes. Asked for anew: the body of an answer that was passed over never comes."""
        if url not in self.weights:
            self.weights[url] = len(gzip.compress(self.page.request.get(url).body(), 6))
        return self.weights[url]

    def open(self, path: str, name: str) -> None:
        answer = self.page.goto(path)
        if answer is None or answer.status >= 500:
            self.fell_short.append(f"{name}: {answer.status if answer else 'no answer'}")
        self.look(name)

    def look(self, name: str) -> None:
        """Look at the page as it stands, in each width and each light."""
        page = self.page
        self.seen.append(name)
        page.evaluate(AXE)
        for size in (DESK, PHONE):
            page.set_viewport_size(size)  # type: ignore[arg-type]
            for scheme, how in (
                ("light", {"runOnly": AXE_RULES}),
                ("dark", {"runOnly": AXE_RULES}),
            ):
                page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
                found = page.evaluate("how => axe.run(document, {...how, resultTypes: ['violations']})", how)
                where = f"{name}, {size['width']}, {scheme}"
                for broken in found["violations"]:
                    self.fell_short.append(f"{where}: {broken['id']} {[n['target'] for n in broken['nodes']][:2]}")
                keep_picture(page, f"every-{name.replace('/', '-').replace(' ', '-')}-{scheme}")
            if wide := sideways(page):
                self.fell_short.append(f"{name}, {size['width']}: scrolls {wide} px sideways")
        html = len(gzip.compress(page.content().encode(), 6))
        loaded = page.evaluate(
            "[...document.querySelectorAll('link[rel=stylesheet], script[src]')].map(e => e.href || e.src)"
        )
        kinds = {".css": CSS_KB, ".js": JS_KB}
        for end, limits in kinds.items():
            weight = sum(self.weight(url) for url in loaded if url.split("?")[0].endswith(end))
            if weight > limits[self.side] * 1024:
                self.fell_short.append(f"{name}: {weight} bytes of {end}")
        if html > HTML_KB[self.side] * 1024:
            self.fell_short.append(f"{name}: {html} bytes of HTML")
        page.set_viewport_size(DESK)  # type: ignore[arg-type]

    def err(self, path: str, name: str) -> bool:
        """Send the page's forms emptied, one after the other, until one comes back with an error; look at that."""
        for n in range(3):
            self.page.goto(path)
            if not self.page.evaluate(EMPTY, n):
                return False
            with suppress(PlaywrightTimeout), self.page.expect_navigation(timeout=2000):
                self.page.evaluate("setTimeout(() => window.emptied.requestSubmit(), 0)")
            if self.page.title().startswith("Error:"):
                self.look(f"{name} with an error")
                return True
        return False


EMPTY = """n => {
  const fields = form => [...form.querySelectorAll('input:not([type=hidden]), textarea, select')];
  const form = [...document.querySelectorAll('main form[method=post]')].filter(f => fields(f).length)[n];
  if (!form) return false;
  fields(form).forEach(e => { if (/radio|checkbox/.test(e.type)) e.checked = false; else e.value = ''; });
  window.emptied = form;
  return true;
}"""


@pytest.fixture
def people(
    maya: User, omar: User, ines: User, sol: User, pax: User, fay: User, rosa: User, gone: User
) -> dict[str, User | None]:
    return {
        "anonymous": None, "client": None, "own": maya, "colleague": omar, "other_site": ines, "supervisor": sol,
        "prescriber": pax, "front_desk": fay, "admin": rosa, "ex_staff": gone,
    }  # fmt: skip


@pytest.mark.usefixtures("on_call")
@pytest.mark.parametrize("role", EYES)
def test_every_staff_page(
    window: Window, staff_window: Window, people: dict[str, User | None], sam: Client, role: str
) -> None:
    """Browser check 40, seeded and with an error."""
    sitting = sent(sam, phq_9__1=3, phq_9__2=3, phq_9__3=3, phq_9__4=3, phq_9__9=1, cssrs_screener_recent__2=1)
    world = matrix.build(people, sam)
    world.objects["intake"] = sitting.pk
    user = people[role]
    eyes = Eyes(staff_window(user) if user else window(DESK), "staff")
    urls = {}
    for pattern in patterns():
        name, wanted = matrix.name_and_arguments(pattern)
        urls[name] = reverse(name, kwargs=world.arguments(name, wanted))
    errors = []
    for name in [name for name, whose in opened() if whose == role]:
        eyes.open(urls[name], f"{role} {name}")
        if eyes.err(urls[name], f"{role} {name}"):
            errors.append(name)
    if role == "own":
        for assessment in sitting.assessments.all():
            eyes.open(reverse("assessment", args=[sam.pk, assessment.pk]), f"assessment {assessment.instrument}")
        eyes.open("/search/?q=sam", "search found")
    assert eyes.fell_short == [], "\n".join(eyes.fell_short)
    wanted_errors = {
        "own": {
            "client_new",
            "alert",
            "flag_new",
            "notes",
            "psychotherapy_notes",
            "suggestion",
            "account_change_password",
        },
        "supervisor": {"clinical_sign"},
        "admin": {"practice_edit", "person_new", "person_edit", "coverage"},
        "front_desk": {"client_edit"},
        "anonymous": {"account_login"},
    }
    assert sorted(wanted_errors[role] - set(errors)) == []


@pytest.mark.usefixtures("on_call")
def test_every_staff_page_with_nothing_on_it(staff_window: Window, ines: User, rosa: User) -> None:
    """Browser check 40, empty: a therapist without clients, then with one who has sent nothing."""
    eyes = Eyes(staff_window(ines), "staff")
    for path in ("/caseload/", "/caseload/?show=flags", "/alerts/", "/search/?q=nobody", "/kept/"):
        eyes.open(path, f"empty {path}")
    far = factories.client(ines, "Farah Away", email="far@example.net", phone="+1 202 555 0111")
    chart = far.get_absolute_url()
    for path in ("", "notes/", "psychotherapy-notes/", "activity/", "invite/"):
        eyes.open(f"{chart}{path}", f"empty chart {path}")
    eyes.open(f"/clients/{rosa.pk}/", "not found")
    eyes.open("/practice/people/", "not allowed")
    admin = Eyes(staff_window(rosa), "staff")
    for path in ("/practice/audit/?q=nothing", "/practice/system/"):
        admin.open(path, f"empty {path}")
    fell_short = eyes.fell_short + admin.fell_short
    assert fell_short == [], "\n".join(fell_short)


@pytest.mark.usefixtures("on_call")
def test_every_client_page(window: Window, sam: Client, kit: Client) -> None:
    """Browser check 40: one page of every kind of question, and every page around them."""
    sitting = begun(sam, "phq-9--9")
    eyes = Eyes(come_in(window(DESK), sitting), "client")
    for slug in one_of_each_kind():
        eyes.open(f"/my/q/{slug}/", slug)
        eyes.err(f"/my/q/{slug}/", slug)
    eyes.open("/my/q/trials/?add=1", "another row")
    for path in ("/my/", "/my/later/", "/my/call-me/", "/my/check/"):
        eyes.open(path, path)
    eyes.page.goto("/my/q/phq-9--9/")
    say(eyes.page, "Nearly every day")
    eyes.page.wait_for_url("**/my/support/")
    eyes.look("bridge")
    eyes.open("/my/q/cssrs-screener-recent--1/", "cssrs")
    for n in ("1", "2", "3", "4", "5"):
        eyes.page.goto(f"/my/q/cssrs-screener-recent--{n}/")
        say(eyes.page, "Yes")
        eyes.page.wait_for_load_state()
    eyes.open("/my/support/", "support")
    eyes.open("/my/locked/", "locked")
    press(eyes.page, "Open my answers")
    eyes.page.wait_for_load_state()
    eyes.look("wrong code")
    stranger = Eyes(window(DESK), "client")
    stranger.open(invited(kit).path, "link")
    stranger.open("/p/cut-off/", "link that does not work")
    press(stranger.page, "Send me a new link")
    stranger.page.wait_for_load_state()
    stranger.look("new link")
    stranger.open("/my/", "locked out")
    fell_short = eyes.fell_short + stranger.fell_short
    assert fell_short == [], "\n".join(fell_short)


@pytest.mark.usefixtures("on_call")
def test_every_page_of_a_clients_own(window: Window, maya: User, sam: Client, kit: Client) -> None:
    """Browser check 40: the check before it, with an error, and what stands there, seeded and empty."""
    sent(sam)
    plan = safety_plan.begin(by=maya, client=sam, at=timezone.now())
    safety_plan.save(
        by=maya, plan=plan, steps=plan.steps | {"reasons": [{"text": "My dog"}]}, means="done", means_words="x",
        review_on=date(2099, 1, 1), seen=1, writer="", at=timezone.now(),
    )  # fmt: skip
    safety_plan.finish(by=maya, plan=plan, at=timezone.now(), give=True)
    invited(sam, key="check-in")
    shared = Client.objects.get(pk=kit.pk)
    shared.reach = {"sms": True}
    shared.save()
    eyes = Eyes(window(DESK), "client")
    for client in (shared, sam):
        eyes.open(home_invitation(client=client, at=timezone.now()).path, "link home")
        press(eyes.page, "Continue")
        eyes.page.wait_for_url("**/my/home/check/")
        eyes.look(f"check {client.code}")
        press(eyes.page, "Open my page")
        eyes.page.wait_for_load_state()
        eyes.look(f"check {client.code} with an error")
    press(eyes.page, "Text me a code")
    eyes.page.wait_for_load_state()
    eyes.page.get_by_label("Your code").fill(code_sent(sam))
    press(eyes.page, "Open my page")
    eyes.page.wait_for_url("**/my/home/")
    for path in (
        "/my/home/",
        "/my/safety-plan/",
        "/my/safety-plan/kept/",
        "/my/copies/",
        "/my/permissions/",
        "/my/shared/",
    ):
        eyes.open(path, path)
    SafetyPlan.objects.all().update(given_at=None)
    eyes.open("/my/safety-plan/", "no plan")
    eyes.page.goto("/my/home/")
    press(eyes.page, "Lock this page")
    eyes.page.wait_for_url("**/my/locked/")
    eyes.look("own page locked")
    assert eyes.fell_short == [], "\n".join(eyes.fell_short)


def one_of_each_kind() -> list[str]:
    """The first page of each kind of question that was shown so far, by what it is made of."""
    found: dict[Any, str] = {}
    for page in packet.seed("intake").pages:
        if page.show_when:
            continue
        kind = page.kind if page.kind != "one" else page.only.type
        found.setdefault((kind, page.required, page.safety, bool(page.instrument)), page.slug)
    return list(found.values())


def test_first_visit_takes_six_requests(window: Window, sam: Client, on_call: User) -> None:
    page = window(PHONE)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(invited(sam).path)
    page.wait_for_load_state("networkidle")
    ours = [url for url in asked if not re.search(r"/favicon\.ico$", url)]
    assert len(ours) <= 6, ours
