"""One question per page: show it, keep the answer, go on."""

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.translation import get_language, gettext

from intake import actions, editions, flow, medicines, signs, trusted
from intake.doors import Link, autosave, is_here, keeping_page, see_other, show
from intake.forms import SignForm, form_for
from intake.packet import Packet, Page
from intake.spoken import of_text, spoken, why
from intake.views import language, support
from practice import coverage
from practice.actions import NotNow
from practice.clinical.risk import CSSRS
from practice.language import CODES
from practice.models import Alert, User
from practice.pages import device_of


class Sitting:
    """What every page of questions needs, fetched once. `entered_by`: staff who write down what the client says."""

    def __init__(self, link: Link, slug: str, entered_by: User | None = None) -> None:
        self.entered_by = entered_by
        if link.intake is None:
            raise Http404
        self.link, self.intake = link, link.intake
        self.at = timezone.now()
        self.practice = link.practice
        self.today = coverage.local(self.at, self.practice).date()
        self.packet: Packet = actions.packet_of(self.intake)
        if slug in self.packet.by_slug and self.packet.by_slug[slug].agreement:
            self.packet = editions.applied(self.packet, self.intake)
        self.replies = actions.replies_of(self.intake)
        self.alert: Alert | None = actions.alert_of(self.intake)
        self.shown = self._pages()
        found = self.packet.by_slug.get(slug)
        if found is None:
            raise Http404
        self.page: Page = found

    def _pages(self) -> list[Page]:
        world = actions.world(self.practice, self.alert, self.packet, self.at)
        self.closed = world.closed
        found = flow.pages(self.packet, self.replies, world)
        return flow.asked_of_guardian(found) if self.link.person else found

    @property
    def is_shown(self) -> bool:
        return self.page in self.shown

    @property
    def takes(self) -> bool:
        """Whether an answer is heard: of a safety question, too, that stood there when its permission ended."""
        return self.is_shown or (self.page.safety and self.page.instrument in self.closed)

    def keep(self, value: Any, *, skipped: bool = False) -> set[str]:
        """Save; return the ids of the safety rules that this answer newly fired."""
        before = set(self.alert.rule_ids) if self.alert else set()
        alert = actions.save_answer(
            by=self.link.client,
            sitting=self.intake,
            page=self.page,
            value=value,
            skipped=skipped,
            at=self.at,
            entered_by=self.entered_by,
            late=self.link.anew,
            person=self.link.person,
        )
        self.replies = actions.replies_of(self.intake)
        self.alert = alert or self.alert
        self.shown = self._pages()
        return set(alert.rule_ids) - before if alert is not None else set()


@keeping_page
def my_page(request: HttpRequest, page: str) -> HttpResponse:
    link: Link = request.link  # type: ignore[attr-defined]
    if link.intake is None:
        return see_other("my_start")
    if link.receipt or (link.intake.submitted_at is not None and request.method != "POST"):
        return see_other("my_done")
    here = Sitting(link, page)
    if link.over:
        return _over(request, here)
    try:
        return _late(request, here) if link.intake.submitted_at is not None else _answer(request, here)
    except NotNow as sentence:  # sent before, in another window
        if link.person is not None and here.intake.submitted_at is None:
            link.locked = link.over = True
            return HttpResponse(status=409)
        messages.error(request, str(sentence))
        return see_other("my_done")


def _late(request: HttpRequest, here: Sitting) -> HttpResponse:
    """What a second window says after the answers were sent: a safety sign raises its flag, nothing else is taken."""
    form = form_of(here, data=request.POST) if here.page.safety and here.takes else None
    here.keep(form.answer() if form is not None and form.is_valid() else None)
    return _support(here)


def _over(request: HttpRequest, here: Sitting) -> HttpResponse:
    """What a page says that stayed open when its sitting was closed to this browser: a safety answer, nothing else."""
    form = form_of(here, data=request.POST) if here.page.safety and here.takes else None
    skips = form is not None and "skip" in request.POST and not here.page.required
    if form is None or not (skips or form.is_valid()):
        return HttpResponse(status=409)
    try:
        here.keep(None if skips else form.answer(), skipped=skips)
    except NotNow:
        return HttpResponse(status=409)
    return see_other("my_locked")


def _answer(request: HttpRequest, here: Sitting) -> HttpResponse:
    if not (here.takes if request.method == "POST" else here.is_shown):
        return onward(here)
    if (chosen := request.POST.get("speak")) in CODES:
        return _switch(request, here, chosen)
    if here.page.kind == "agreement":
        return _agreement(request, here)
    if request.method != "POST":
        return _show(request, here, form_of(here, extra=int("add" in request.GET)))
    if "skip" in request.POST and not here.page.required:
        return _after(request, here, here.keep(None, skipped=True), skipped=True)
    if "photo" in request.POST and _takes_photos(request, here):
        return _to_photos(request, here)
    form = form_of(here, data=request.POST, draft="add" in request.POST)
    if not form.is_valid():
        return _show(request, here, form)
    return _after(request, here, here.keep(form.answer()))


def _switch(request: HttpRequest, here: Sitting, chosen: str) -> HttpResponse:
    """The same page in another language; what stands on it is kept as a draft, or shown again with what is wrong."""
    query = "?from=check" if request.POST.get("from") == "check" else ""
    response: HttpResponse = see_other("my_page", here.page.slug, query=query)
    with translation.override(chosen):
        if here.page.kind == "agreement":
            response = _agreement(request, here, typed=True)
        else:
            form = form_of(here, data=request.POST, draft=True)
            if not form.is_valid():
                response = _show(request, here, form)
            elif (value := form.answer()) is not None:  # an answer is changed by the switch, never taken out
                here.keep(value)
    return language.switch(request, response, None if here.link.person else here.link.client, chosen)


def _takes_photos(request: HttpRequest, here: Sitting) -> bool:
    """Whether a photo of a list may be sent beside this question: never from a device of the practice."""
    return (
        here.page.slug == medicines.QUESTION and here.page.kind == "rows" and not (is_here(request) or here.link.person)
    )


def _to_photos(request: HttpRequest, here: Sitting) -> HttpResponse:
    """Keep what stands on the page as a draft, then on to the page that takes photos."""
    form = form_of(here, data=request.POST, draft=True)
    if not form.is_valid():
        return _show(request, here, form)
    if (value := form.answer()) is not None or here.page.slug in here.replies:
        here.keep(value)
    return see_other("my_form_medicines")


def form_of(here: Sitting, **how: Any) -> Any:
    value = flow.value_of(here.replies, here.page.slug) if how.get("data") is None else None
    return form_for(spoken(here.page), today=here.today, value=value, **how)


def _frame(request: HttpRequest, here: Sitting, form: Any) -> dict[str, Any]:
    """What stands around a question and around an agreement."""
    page, section = here.page, here.packet.section(here.page.section)
    before = flow.preceding(here.shown, page.slug)
    from_check = (request.POST.get("from") or request.GET.get("from", "")) == "check"
    back = reverse("my_page", args=[before.slug]) if before else reverse("my_start")
    return {
        "sitting": here.intake.pk,
        "page": spoken(page),
        "text_language": of_text(page),
        "form": form,
        "wrong": form.is_bound and not form.is_valid(),
        "place": flow.place(here.packet, here.shown, page),
        "why": why(here.packet, page.section),
        "why_open": section.pages[0].slug == page.slug,
        "back_url": reverse("my_check") if from_check else back,
        "from_check": from_check,
    }


def _show(request: HttpRequest, here: Sitting, form: Any) -> HttpResponse:
    page = here.page
    reply = here.replies.get(page.slug)
    writes = any(each.type == "words" for each in page.fields)
    photos = _takes_photos(request, here)
    return show(
        request,
        "intake/question.html",
        {
            **_frame(request, here, form),
            "saved_at": reply.at if reply else None,
            "was_skipped": bool(reply and reply.skipped),
            "notice": page.definition.said_in(get_language() or "").licence.notice if page.instrument else "",
            "asks_safety": page.safety,
            "calls_nobody": here.practice.answer_calls_nobody,
            "everyone": page.instrument != CSSRS or here.practice.screen_everyone,
            "writes": writes,
            "photos": photos,
            "photos_here": medicines.waiting(here.link.client).count() if photos else 0,
            "read_by": coverage.read_by(here.at, here.practice, here.link.client.therapist) if writes else None,
            "until": here.link.invitation.expires_at,
        },
    )


def _after(request: HttpRequest, here: Sitting, new_rules: set[str], *, skipped: bool = False) -> HttpResponse:
    """Go on: to the support page when this answer calls for it, back to the check, or to the next page."""
    page = here.page
    if "add" in request.POST:
        return see_other("my_page", page.slug, query="?add=1#rows-end")
    if page.safety and here.alert is not None and _calls_for_support(here, new_rules, skipped):
        return _support(here)
    if request.POST.get("from") == "check":
        return see_other("my_check")
    return onward(here)


def _support(here: Sitting) -> HttpResponse:
    if here.alert is not None:
        support.note_shown(here.intake, here.alert, here.packet, here.shown, here.replies, here.at)
    return see_other("my_support")


def _calls_for_support(here: Sitting, new_rules: set[str], skipped: bool) -> bool:
    page = here.page
    if page.instrument == CSSRS and not signs.is_asking(here.shown, here.replies):
        return bool(signs.level(here.packet, here.shown, here.replies))
    if skipped:
        return signs.SKIPPED_RULE in new_rules
    return page.instrument != CSSRS and flow.is_sign(page, flow.value_of(here.replies, page.slug))


def onward(here: Sitting) -> HttpResponse:
    """The page after this one, and the check after the last."""
    page = flow.following(here.shown, here.page.slug) if here.is_shown else flow.next_open(here.shown, here.replies)
    return see_other("my_page", page.slug) if page else see_other("my_check")


@autosave
def my_save(request: HttpRequest, page: str) -> HttpResponse:
    """What a script sends while somebody answers: 204 saved, 422 not yet an answer, 409 sent already, 423 locked."""
    link: Link = request.link  # type: ignore[attr-defined]
    if request.method != "POST":
        return HttpResponse(status=405)
    if link.intake is None or link.receipt:
        return HttpResponse(status=409)
    here = Sitting(link, page)
    if here.page.kind == "agreement" or not here.takes or (link.over and not here.page.safety):
        return HttpResponse(status=409)
    form = form_of(here, data=request.POST, draft=True)
    if not form.is_valid():
        return HttpResponse(status=422)
    value = form.answer()
    if value is None and here.page.slug not in here.replies:
        return HttpResponse(status=204)  # nothing was said yet
    try:
        actions.save_answer(
            by=link.client,
            sitting=here.intake,
            page=here.page,
            value=value,
            at=here.at,
            late=link.anew,
            person=link.person,
        )
    except NotNow:
        return HttpResponse(status=409)
    return HttpResponse(status=204)


def _agreement(request: HttpRequest, here: Sitting, *, typed: bool = False) -> HttpResponse:
    """`typed`: show what was typed again, sign nothing."""
    text = editions.load(here.page.agreement, here.page.version)
    signed = here.intake.signatures.filter(document=text.key, version=text.version).first()
    is_old = request.method == "POST" and signed is None and request.POST.get("text", text.sha256) != text.sha256
    if "skip" in request.POST and not typed and not here.page.required and signed is None:
        return _after(request, here, here.keep(None, skipped=True), skipped=True)
    person = here.link.person
    signs_as = trusted.signs_as(person) if person else ""
    form = SignForm(
        text, request.POST if request.method == "POST" and signed is None and not typed else None, signs_as=signs_as
    )
    if is_old:  # a new version was published while this one was on the screen
        messages.info(request, gettext("This text has just changed. Please read it again; nothing is signed yet."))
    if typed or is_old:
        form = SignForm(text, signs_as=signs_as)
        form.initial = {
            name: value for name, value in request.POST.items() if typed or name in ("typed_name", "relation")
        }
    elif request.method == "POST" and (signed is not None or form.is_valid()):
        if signed is None:
            actions.sign_consent(
                by=here.link.client,
                sitting=here.intake,
                page=here.page,
                agreement=text,
                typed_name=form.cleaned_data["typed_name"],
                relation=form.cleaned_data.get("relation", signs_as),
                acknowledged=form.acknowledged,
                device=device_of(request),
                at=here.at,
                person=person,
            )
        return see_other("my_check") if request.POST.get("from") == "check" else onward(here)
    return show(
        request,
        "intake/agreement.html",
        {**_frame(request, here, form), "text": text, "signed": signed, "today": here.at},
    )
