"""The draft of a packet's next version: its rows, their wording, what is added, and publishing it."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from intake import drafting, fixed, issuing, pieces
from intake.drafting import Data
from intake.models import PacketDraft, PacketVersion
from intake.packet_forms import KINDS, PacketForm, PieceForm, PublishForm, QuestionForm, SectionForm, untold
from practice.access import Permission
from practice.actions import NotNow
from practice.pages import StaffRequest, View, staff_page

ACTS: dict[str, Callable[[Data, str], Data]] = {
    "up": lambda rows, name: drafting.move(rows, name, -1),
    "down": lambda rows, name: drafting.move(rows, name, 1),
    "out": lambda rows, name: drafting.leave_out(rows, name, out=True),
    "back": lambda rows, name: drafting.leave_out(rows, name, out=False),
    "delete": drafting.delete,
    "section-up": lambda rows, key: drafting.move_section(rows, key, -1),
    "section-down": lambda rows, key: drafting.move_section(rows, key, 1),
    "section-out": lambda rows, key: drafting.leave_out_section(rows, key, out=True),
    "section-back": lambda rows, key: drafting.leave_out_section(rows, key, out=False),
    "section-remove": drafting.remove_section,
}
ROW_KINDS = {"agreement": _("Agreement to sign"), "instrument": _("Instrument"), "fields": _("Several answers")}


def _gone(request: StaffRequest, key: str) -> HttpResponseRedirect:
    """The draft was published or thrown away since: the page of its versions says which."""
    last = PacketVersion.objects.filter(key=key).select_related("published_by").first()
    if last is None and not fixed.is_waymarks(key) and not key.startswith(fixed.OWN):
        raise Http404
    if last is not None:
        messages.warning(
            request,
            gettext("There is no draft now. The newest version is {version}, published by {who}.").format(
                version=last.version, who=last.published_by
            ),
        )
    else:
        messages.warning(request, gettext("There is no draft of this packet."))
    known = last is not None or fixed.is_waymarks(key)
    return redirect("packet_versions", key) if known else redirect("practice_forms")


def of_draft(view: View) -> View:
    """The view is given the draft. A row or a section that is not in it is a page that does not exist."""

    @wraps(view)
    def found(request: StaffRequest, key: str, **where: str) -> HttpResponse:
        draft = PacketDraft.objects.select_related("changed_by").filter(key=key).first()
        if draft is None:
            return _gone(request, key)
        try:
            return view(request, draft, **where)
        except NotNow:
            raise Http404 from None

    return found


def _seen(request: StaffRequest) -> int:
    said = request.POST.get("version", "")
    return int(said) if said.isascii() and said.isdecimal() and len(said) < 10 else 0


@staff_page(Permission.MANAGE_PRACTICE)
@of_draft
def packet_draft(request: StaffRequest, draft: PacketDraft) -> HttpResponse:
    """The rows of the draft; a POST moves, leaves out or puts back one of them."""
    if request.method == "POST":
        what, _sep, name = request.POST.get("act", "").partition(":")
        act = ACTS.get(what)
        if act is not None:
            try:
                issuing.change(
                    by=request.user, key=draft.key, seen=_seen(request), act=lambda rows: act(rows, name),
                    at=timezone.now(),
                )  # fmt: skip
            except NotNow as no:
                messages.warning(request, str(no))
        anchor = f"#s-{name}" if what.startswith("section") else f"#r-{name}"
        return HttpResponseRedirect(reverse("packet_draft", args=[draft.key]) + anchor)
    context = {
        "draft": draft,
        "sections": [_section(draft.rows, section) for section in draft.rows["sections"]],
        "count": len(issuing.changes(draft)),
        "lacks": drafting.problems(draft.rows) + drafting.missing(draft.rows),
    }
    return render(request, "intake/packet_draft.html", context)


def _section(rows: Data, section: Data) -> dict[str, Any]:
    reasons = fixed.why(rows)
    pages = section["pages"]
    is_out = bool(pages) and all(row.get("out") for row in pages)
    return {
        "key": section["key"],
        "title": section["title"],
        "minutes": section["minutes"],
        "is_out": is_out,
        "may_out": bool(pages) and not is_out and drafting.may_leave_out_section(rows, section["key"]),
        "may_remove": drafting.may_remove_section(rows, section["key"]),
        "condition": bool(section.get("show_when")),
        "rows": [_row(rows, row, reasons) for row in pages],
    }


def _row(rows: Data, row: dict[str, Any], reasons: dict[str, Any]) -> dict[str, Any]:
    name = fixed.name(row)
    kind = next((words for field, words in ROW_KINDS.items() if field in row), None)
    return {
        "name": name,
        "title": fixed.title(row),
        "kind": kind or KINDS.get(row.get("type", "text"), ""),
        "why": reasons.get(name, "") or (fixed.RECORD_OUT if fixed.is_read(row) else ""),
        "is_fixed": name in reasons,
        "out": row.get("out"),
        "required": row.get("required"),
        "own": name.startswith(fixed.OWN),
        "may_out": not row.get("out") and fixed.may_leave_out(row, reasons),
        "untold": untold(rows, row),
        "condition": bool(row.get("show_when")),
    }


@staff_page(Permission.MANAGE_PRACTICE)
def packet_discard(request: StaffRequest, key: str) -> HttpResponse:
    if request.method == "POST":
        try:
            issuing.discard(by=request.user, key=key, seen=_seen(request), at=timezone.now())
        except NotNow as no:
            messages.warning(request, str(no))
        else:
            messages.success(request, gettext("The draft is gone. Nothing changes for clients."))
    return redirect("practice_forms")


# --- Wording ---------------------------------------------------------------------------------------------------------


def _edited(
    request: StaffRequest, draft: PacketDraft, form: Any, act: Callable[[Data], Data], template: str, anchor: str = "",
    **context: Any,
) -> HttpResponse:  # fmt: skip
    """Show a form about the draft, and apply what was sent; a refusal stands on the form with all that was typed."""
    if request.method == "POST" and form.is_valid():
        try:
            seen = form.cleaned_data["version"]
            issuing.change(by=request.user, key=draft.key, seen=seen, act=act, at=timezone.now())
        except NotNow as no:
            form.add_error(None, str(no))
        else:
            messages.success(request, gettext("Kept in the draft."))
            return HttpResponseRedirect(reverse("packet_draft", args=[draft.key]) + anchor)
    context |= {"key": draft.key, "form": form}
    return render(request, template, context, status=400 if form.errors else 200)


def _spanish(draft: PacketDraft) -> dict[str, str]:
    found: dict[str, str] = draft.rows.get("said", {}).get("es", {})
    return found


def _posted(request: StaffRequest, form: type[forms.Form], draft: PacketDraft, initial: Any = None, **how: Any) -> Any:
    return form(request.POST or None, initial={**(initial or {}), "version": draft.version}, **how)


@staff_page(Permission.MANAGE_PRACTICE)
@of_draft
def packet_question(request: StaffRequest, draft: PacketDraft, row: str) -> HttpResponse:
    found = drafting.row_of(draft.rows, row)
    reason = fixed.why(draft.rows).get(row)
    if reason:
        context = {"key": draft.key, "title": fixed.title(found), "reason": reason, "row": row}
        return render(request, "intake/packet_fixed.html", context)
    form = _posted(request, QuestionForm, draft, QuestionForm.initial_of(found, _spanish(draft)), row=found)
    return _edited(
        request, draft, form, lambda rows: drafting.reword(rows, row, form.wording()),
        "intake/packet_question.html", f"#r-{row}", title=gettext("Wording of a question"),
    )  # fmt: skip


@staff_page(Permission.MANAGE_PRACTICE)
@of_draft
def packet_question_new(request: StaffRequest, draft: PacketDraft, section: str) -> HttpResponse:
    found = drafting.section_of(draft.rows, section)
    form = _posted(request, QuestionForm, draft, {"type": "words"})
    return _edited(
        request, draft, form, lambda rows: drafting.ask(rows, section, form.wording()),
        "intake/packet_question.html", f"#s-{section}",
        title=gettext("A question of your own, in “{section}”").format(section=found["title"]),
    )  # fmt: skip


@staff_page(Permission.MANAGE_PRACTICE)
@of_draft
def packet_section(request: StaffRequest, draft: PacketDraft, section: str) -> HttpResponse:
    found = drafting.section_of(draft.rows, section)
    form = _posted(request, SectionForm, draft, SectionForm.initial_of(found, _spanish(draft)))
    return _edited(
        request, draft, form, lambda rows: drafting.reword_section(rows, section, **form.said()),
        "intake/packet_part.html", f"#s-{section}", title=gettext("Section"), button=gettext("Keep"),
    )  # fmt: skip


@staff_page(Permission.MANAGE_PRACTICE)
@of_draft
def packet_section_new(request: StaffRequest, draft: PacketDraft) -> HttpResponse:
    form = _posted(request, SectionForm, draft, {"minutes": 1})
    return _edited(
        request, draft, form, lambda rows: pieces.add_own(rows, **form.said()),
        "intake/packet_part.html", title=gettext("A section for your own questions"), button=gettext("Add"),
    )  # fmt: skip


@staff_page(Permission.MANAGE_PRACTICE)
@of_draft
def packet_add(request: StaffRequest, draft: PacketDraft) -> HttpResponse:
    form = _posted(request, PieceForm, draft)
    return _edited(
        request, draft, form, lambda rows: pieces.add(rows, form.cleaned_data["piece"]),
        "intake/packet_part.html", title=gettext("Add an instrument, an agreement or a section"),
        button=gettext("Add"),
    )  # fmt: skip


@staff_page(Permission.MANAGE_PRACTICE)
@of_draft
def packet_name(request: StaffRequest, draft: PacketDraft) -> HttpResponse:
    title = draft.rows["title"]
    initial = {"title": title, "es_title": _spanish(draft).get(title, ""), "offered": not draft.rows.get("by_plan")}
    form = _posted(request, PacketForm, draft, initial)
    return _edited(
        request, draft, form,
        lambda rows: drafting.rename(rows, **form.said()),
        "intake/packet_part.html", title=gettext("Name of the packet"), button=gettext("Keep"),
    )  # fmt: skip


# --- Publishing ------------------------------------------------------------------------------------------------------


@staff_page(Permission.MANAGE_PRACTICE, fresh=True)
@of_draft
def packet_publish(request: StaffRequest, draft: PacketDraft) -> HttpResponse:
    form = _posted(request, PublishForm, draft)
    if request.method == "POST" and form.is_valid():
        said = form.cleaned_data
        try:
            row = issuing.publish(
                by=request.user, key=draft.key, seen=said["version"], reason=said["reason"], at=timezone.now()
            )
        except NotNow as no:
            form.add_error(None, str(no))
        else:
            messages.success(request, _published(row))
            return redirect("packet_versions", draft.key)
    context = {
        "draft": draft,
        "form": form,
        "changes": issuing.changes(draft),
        "lacks": drafting.problems(draft.rows) + drafting.missing(draft.rows),
        "untold": [
            fixed.title(row) for row in fixed.rows(draft.rows) if not row.get("out") and untold(draft.rows, row)
        ],
    }
    return render(request, "intake/packet_publish.html", context, status=400 if form.errors else 200)


def _published(row: PacketVersion) -> str:
    sent = sum(issuing.sent(row.key).values())
    said = gettext("Version {version} is in use for what is sent from now on.").format(version=row.version)
    if sent:
        said += " " + ngettext(
            "{n} form that was sent before keeps its version.", "{n} forms that were sent before keep theirs.", sent
        ).format(n=sent)
    return said
