"""The client side in Spanish in a real browser (browser check 17), looked at on the narrowest phone."""

import re

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from intake import actions
from practice import safety_plan
from practice.models import Client, User
from tests import factories
from tests.journeys.conftest import Window, keep_picture, sideways, violations, wide
from tests.journeys.test_every_page import one_of_each_kind
from tests.journeys.walking import at_own_page, begun, choose, come_in, follow, invited, on, press, reads, sent

NARROW = {"width": 320, "height": 640}

pytestmark = pytest.mark.usefixtures("on_call")


def fits(page: Page, name: str) -> list[str]:
    """What axe and the right edge of a small phone say about this page, as lines."""
    page.wait_for_load_state()
    keep_picture(page, f"es-{name.strip('/').replace('/', '-') or 'front'}")
    found = [f"{name}: {broken}" for broken in violations(page)]
    found += [f"{name}: cut or out of the page: {each}" for each in wide(page)]
    if over := sideways(page):
        found.append(f"{name}: scrolls {over} px sideways")
    if (language := page.locator("html").get_attribute("lang")) != "es":
        found.append(f"{name}: {language}")
    return found


@pytest.mark.story
@pytest.mark.parametrize("script", [True, False])
def test_switching_on_item_4_shows_item_4_with_its_answer(window: Window, sam: Client, script: bool) -> None:
    """UX check 17: same item, answers kept, lang="es"; and back."""
    page = come_in(window(script=script), begun(sam, "phq-9--4"))
    choose(page, "More than half the days")
    press(page, "Español")
    on(page, "/my/q/phq-9--4/")
    expect(page.locator("html")).to_have_attribute("lang", "es")
    expect(page.get_by_text("Pregunta 4 de 10")).to_be_visible()
    expect(page.get_by_label("More than half the days")).to_be_checked()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Feeling tired or having little energy")
    assert page.locator("h1").evaluate("e => e.closest('[lang]').lang") == "en-US"
    assert page.get_by_role("button", name="Continuar").evaluate("e => e.closest('[lang]').lang") == "es"
    press(page, "Continuar")
    on(page, "/my/q/phq-9--5/")
    if script:
        choose(page, "Several days")
        expect(page.get_by_role("status")).to_have_text(re.compile(r"^Guardado a las \d{1,2}:\d\d [ap]m\."))
    press(page, "English")
    on(page, "/my/q/phq-9--5/")
    expect(page.locator("html")).to_have_attribute("lang", "en")
    page.goto("/my/q/phq-9--4/")
    expect(page.get_by_label("More than half the days")).to_be_checked()


def test_the_way_in_is_spanish_from_the_first_page(window: Window, sam: Client) -> None:
    page = window(NARROW)
    page.goto(invited(sam).path)
    press(page, "Español")
    reads(page, "Cedar House tiene formularios para usted")
    found = fits(page, "link")
    press(page, "Continuar")
    reads(page, "Antes de empezar")
    found += fits(page, "before")
    press(page, "Empezar")
    found += fits(page, "code")
    press(page, "Ya lo anoté")
    reads(page, "¿De qué formas es seguro que le contactemos?")
    choose(page, "Mensaje de texto")
    press(page, "Continuar")
    press(page, "Continuar")
    expect(page.get_by_role("alert")).to_contain_text("Escriba un número de teléfono o un correo electrónico.")
    found += fits(page, "contact with an error")
    sam.refresh_from_db()
    assert (found, sam.language) == ([], "es")
    follow(page, "Necesito ayuda ya")
    expect(page.get_by_role("dialog", name="Hay ayuda ahora")).to_be_visible()
    assert fits(page, "help sheet") == []
    page.goto("/help-now/")
    expect(page.get_by_role("link", name="Llamar al 988").first).to_be_visible()
    assert fits(page, "help now") == []


def test_every_kind_of_question_fits_in_spanish(window: Window, sam: Client) -> None:
    """WCAG 1.4.10: Spanish is longer; nothing is cut and nothing scrolls sideways at 320 pixels."""
    Client.objects.filter(pk=sam.pk).update(language="es")
    sitting = begun(sam, "phq-9--9")
    page = window(NARROW)
    page.goto(sitting.invitation.path)
    press(page, "Continuar")
    page.get_by_label("Su código").fill(actions.return_code(sitting))
    press(page, "Abrir mis respuestas")
    on(page, "/my/q/phq-9--9/")
    found = []
    for slug in one_of_each_kind():
        page.goto(f"/my/q/{slug}/")
        found += fits(page, slug)
    for path in ("/my/", "/my/later/", "/my/call-me/", "/my/check/", "/who-sees-this/", "/accessibility/"):
        page.goto(path)
        found += fits(page, path)
    page.goto("/my/q/phq-9--9/")
    choose(page, "Nearly every day")
    press(page, "Continuar")
    on(page, "/my/support/")
    found += fits(page, "bridge")
    for n in ("1", "2", "3", "4", "5"):
        page.goto(f"/my/q/cssrs-screener-recent--{n}/")
        choose(page, "Yes")
        press(page, "Continuar")
        page.wait_for_load_state()
    page.goto("/my/support/")
    reads(page, "Por favor, hable con alguien ahora")
    expect(page.get_by_text("Este formulario no llama a la policía ni a una ambulancia.")).to_be_visible()
    found += fits(page, "support")
    page.goto("/my/locked/")
    found += fits(page, "locked")
    press(page, "Abrir mis respuestas")
    found += fits(page, "wrong code")
    assert found == []


def test_a_clients_own_page_fits_in_spanish(window: Window, sam: Client, maya: User) -> None:
    sent(sam)
    plan = safety_plan.begin(by=maya, client=sam, at=timezone.now())
    safety_plan.save(
        by=maya, plan=plan, steps=plan.steps | {"reasons": [{"text": "Mi perro"}]}, means="done", means_words="x",
        review_on=factories.today(), seen=1, writer="", at=timezone.now(),
    )  # fmt: skip
    safety_plan.finish(by=maya, plan=plan, at=timezone.now(), give=True)
    page = at_own_page(window(NARROW), sam)
    press(page, "Español")
    reads(page, "Nada pendiente hoy")
    found = fits(page, "home")
    for path in ("safety-plan", "safety-plan/kept", "copies", "permissions", "shared", "plan", "referral"):
        page.goto(f"/my/{path}/")
        found += fits(page, path)
    assert found == []
