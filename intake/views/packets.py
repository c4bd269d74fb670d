"""Forms and packets: every packet with its versions, the draft of the next one, and what goes out by itself."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from intake import drafting, fixed, issuing, packet, pieces, starting
from intake.drafting import Data
from intake.models import PacketDraft, PacketStart, PacketVersion
from intake.packet_forms import (
    KINDS,
    PacketForm,
    PieceForm,
    PublishForm,
    QuestionForm,
    SectionForm,
    StartForm,
    TitleForm,
    untold,
)
from practice.access import Permission
from practice.actions import NotNow
from practice.pages import StaffRequest, staff_page

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


# --- All packets, and what goes out by itself ------------------------------------------------------------------------


@staff_page(Permission.MANAGE_PRACTICE)
def practice_forms(request: StaffRequest) -> HttpResponse:
    drafts = {draft.key: draft for draft in PacketDraft.objects.select_related("changed_by")}
    sent = issuing.sent_of_all()
    shown = [each for each in packet.all_packets() if not fixed.is_closed(each.key)]
    known = {each.key for each in shown}
    titles = {each.key: each.title for each in shown}
    context = {
        "rows": [{"packet": each, "sent": sent.get(each.key, 0), "draft": drafts.get(each.key)} for each in shown],
        "new": [draft for key, draft in drafts.items() if key not in known],
        "starts": [
            {"start": each, "title": titles.get(each.packet, each.packet)}
            for each in PacketStart.objects.select_related("site", "by")
        ],
    }
    return render(request, "intake/practice_forms.html", context)


@staff_page(Permission.MANAGE_PRACTICE)
def packet_new(request: StaffRequest) -> HttpResponse:
    form = TitleForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        draft = issuing.begin_new(by=request.user, title=form.cleaned_data["title"], at=timezone.now())
        return redirect("packet_draft", draft.key)
    return render(request, "intake/packet_new.html", {"form": form}, status=400 if form.errors else 200)


@staff_page(Permission.MANAGE_PRACTICE, fresh=True)
def packet_start_new(request: StaffRequest) -> HttpResponse:
    form = StartForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        said = form.cleaned_data
        try:
            starting.add(by=request.user, group=said["group"], key=said["packet"], site=said["site"], at=timezone.now())
        except NotNow as no:
            form.add_error(None, str(no))
        else:
            messages.success(request, gettext("Saved. It goes out to clients who join from now on."))
            return redirect("practice_forms")
    return render(request, "intake/packet_start_new.html", {"form": form}, status=400 if form.errors else 200)


@staff_page(Permission.MANAGE_PRACTICE)
def packet_start_remove(request: StaffRequest, start: UUID) -> HttpResponse:
    if request.method == "POST":
        if starting.remove(by=request.user, pk=start, at=timezone.now()):
            messages.success(request, gettext("It does not go out by itself any more."))
        else:
            messages.warning(request, gettext("It was taken out already."))
    return redirect("practice_forms")


# --- One packet ------------------------------------------------------------------------------------------------------


@staff_page(Permission.MANAGE_PRACTICE)
def packet_versions(request: StaffRequest, key: str) -> HttpResponse:
    own = list(PacketVersion.objects.filter(key=key).select_related("published_by").defer("rows"))
    shipped = sorted(packet.SHELF.paths.get(key, {}), key=int, reverse=True)
    draft = _draft(key)
    if not (own or shipped or draft) or fixed.is_closed(key):
        raise Http404
    sent = issuing.sent(key)
    context = {
        "key": key,
        "title": packet.load(key).title if own or shipped else draft.rows["title"] if draft else "",
        "draft": draft,
        "versions": [{"version": row, "sent": sent.get(row.version, 0), "in_use": row is own[0]} for row in own],
        "shipped": [
            {"name": name, "sent": sent.get(name, 0), "in_use": not own and name == shipped[0]} for name in shipped
        ],
        "newer": own and shipped and own[0].base.partition(".")[0] != shipped[0],
    }  # fmt: skip
    return render(request, "intake/packet_versions.html", context)


@staff_page(Permission.MANAGE_PRACTICE)
def packet_begin(request: StaffRequest, key: str) -> HttpResponse:
    if request.method == "POST":
        if fixed.is_closed(key):
            raise Http404
        try:
            issuing.begin(by=request.user, key=key, at=timezone.now(), from_waymark="waymark" in request.POST)
        except ValueError:
            raise Http404 from None
        return redirect("packet_draft", key)
    return redirect("packet_versions", key)


# --- The draft -------------------------------------------------------------------------------------------------------


def _draft(key: str) -> PacketDraft | None:
    found: PacketDraft | None = PacketDraft.objects.select_related("begun_by", "changed_by").filter(key=key).first()
    return found


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


def _seen(request: StaffRequest) -> int:
    said = request.POST.get("version", "")
    return int(said) if said.isascii() and said.isdecimal() and len(said) < 10 else 0


@staff_page(Permission.MANAGE_PRACTICE)
def packet_draft(request: StaffRequest, key: str) -> HttpResponse:
    """The rows of the draft; a POST moves, leaves out or puts back one of them."""
    draft = _draft(key)
    if draft is None:
        return _gone(request, key)
    if request.method == "POST":
        what, _sep, name = request.POST.get("act", "").partition(":")
        act = ACTS.get(what)
        if act is not None:
            _changed(request, key, lambda rows: act(rows, name))
        anchor = f"#s-{name}" if what.startswith("section") else f"#r-{name}"
        return HttpResponseRedirect(reverse("packet_draft", args=[key]) + anchor)
    context = {
        "draft": draft,
        "sections": [_section(draft.rows, section) for section in draft.rows["sections"]],
        "count": len(issuing.changes(draft)),
        "lacks": drafting.problems(draft.rows) + drafting.missing(draft.rows),
    }
    return render(request, "intake/packet_draft.html", context)


def _changed(request: StaffRequest, key: str, act: Callable[[Data], Data]) -> bool:
    try:
        issuing.change(by=request.user, key=key, seen=_seen(request), act=act, at=timezone.now())
    except NotNow as no:
        messages.warning(request, str(no))
        return False
    return True


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
    request: StaffRequest,
    key: str,
    form: Any,
    act: Callable[[Data], Data],
    template: str,
    anchor: str = "",
    **context: Any,
) -> HttpResponse:
    """Show a form about the draft, and apply what was sent; a refusal stands on the form with all that was typed."""
    if request.method == "POST" and form.is_valid():
        try:
            seen = form.cleaned_data["version"]
            issuing.change(by=request.user, key=key, seen=seen, act=act, at=timezone.now())
        except NotNow as no:
            form.add_error(None, str(no))
        else:
            messages.success(request, gettext("Kept in the draft."))
            return HttpResponseRedirect(reverse("packet_draft", args=[key]) + anchor)
    context |= {"key": key, "form": form}
    return render(request, template, context, status=400 if form.errors else 200)


def _posted(request: StaffRequest, form: type[forms.Form], draft: PacketDraft, initial: Any = None, **how: Any) -> Any:
    return form(request.POST or None, initial={**(initial or {}), "version": draft.version}, **how)


@staff_page(Permission.MANAGE_PRACTICE)
def packet_question(request: StaffRequest, key: str, row: str) -> HttpResponse:
    draft = _draft(key)
    if draft is None:
        return _gone(request, key)
    try:
        found = drafting.row_of(draft.rows, row)
    except NotNow:
        raise Http404 from None
    reason = fixed.why(draft.rows).get(row)
    if reason:
        return render(
            request, "intake/packet_fixed.html", {"key": key, "title": fixed.title(found), "reason": reason, "row": row}
        )
    told = draft.rows.get("said", {}).get("es", {})
    form = _posted(request, QuestionForm, draft, QuestionForm.initial_of(found, told), row=found)
    return _edited(
        request, key, form, lambda rows: drafting.reword(rows, row, form.wording()),
        "intake/packet_question.html", f"#r-{row}", title=gettext("Wording of a question"),
    )  # fmt: skip


@staff_page(Permission.MANAGE_PRACTICE)
def packet_question_new(request: StaffRequest, key: str, section: str) -> HttpResponse:
    draft = _draft(key)
    if draft is None:
        return _gone(request, key)
    try:
        found = drafting.section_of(draft.rows, section)
    except NotNow:
        raise Http404 from None
    form = _posted(request, QuestionForm, draft, {"type": "words"})
    return _edited(
        request, key, form, lambda rows: drafting.ask(rows, section, form.wording()),
        "intake/packet_question.html", f"#s-{section}",
        title=gettext("A question of your own, in “{section}”").format(section=found["title"]),
    )  # fmt: skip


@staff_page(Permission.MANAGE_PRACTICE)
def packet_section(request: StaffRequest, key: str, section: str) -> HttpResponse:
    draft = _draft(key)
    if draft is None:
        return _gone(request, key)
    try:
        found = drafting.section_of(draft.rows, section)
    except NotNow:
        raise Http404 from None
    told = draft.rows.get("said", {}).get("es", {})
    form = _posted(request, SectionForm, draft, SectionForm.initial_of(found, told))
    return _edited(
        request, key, form, lambda rows: drafting.reword_section(rows, section, **form.said()),
        "intake/packet_part.html", f"#s-{section}", title=gettext("Section"), button=gettext("Keep"),
    )  # fmt: skip


@staff_page(Permission.MANAGE_PRACTICE)
def packet_section_new(request: StaffRequest, key: str) -> HttpResponse:
    draft = _draft(key)
    if draft is None:
        return _gone(request, key)
    form = _posted(request, SectionForm, draft, {"minutes": 1})
    return _edited(
        request, key, form, lambda rows: pieces.add_own(rows, **form.said()),
        "intake/packet_part.html", title=gettext("A section for your own questions"), button=gettext("Add"),
    )  # fmt: skip


@staff_page(Permission.MANAGE_PRACTICE)
def packet_add(request: StaffRequest, key: str) -> HttpResponse:
    draft = _draft(key)
    if draft is None:
        return _gone(request, key)
    form = _posted(request, PieceForm, draft)
    return _edited(
        request, key, form, lambda rows: pieces.add(rows, form.cleaned_data["piece"]),
        "intake/packet_part.html", title=gettext("Add an instrument, an agreement or a section"),
        button=gettext("Add"),
    )  # fmt: skip


@staff_page(Permission.MANAGE_PRACTICE)
def packet_name(request: StaffRequest, key: str) -> HttpResponse:
    draft = _draft(key)
    if draft is None:
        return _gone(request, key)
    title = draft.rows["title"]
    told = draft.rows.get("said", {}).get("es", {})
    initial = {"title": title, "es_title": told.get(title, ""), "offered": not draft.rows.get("by_plan")}
    form = _posted(request, PacketForm, draft, initial)
    return _edited(
        request, key, form,
        lambda rows: drafting.rename(rows, **form.said()),
        "intake/packet_part.html", title=gettext("Name of the packet"), button=gettext("Keep"),
    )  # fmt: skip


# --- Publishing ------------------------------------------------------------------------------------------------------


@staff_page(Permission.MANAGE_PRACTICE, fresh=True)
def packet_publish(request: StaffRequest, key: str) -> HttpResponse:
    draft = _draft(key)
    if draft is None:
        return _gone(request, key)
    form = _posted(request, PublishForm, draft)
    if request.method == "POST" and form.is_valid():
        said = form.cleaned_data
        try:
            row = issuing.publish(
                by=request.user, key=key, seen=said["version"], reason=said["reason"], at=timezone.now()
            )
        except NotNow as no:
            form.add_error(None, str(no))
        else:
            messages.success(request, _published(row))
            return redirect("packet_versions", key)
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
