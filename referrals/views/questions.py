"""A question on a case to a named colleague, and their answer (E6, E8)."""

from datetime import datetime
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from practice import audit
from practice.access import Permission
from practice.actions import NotNow
from practice.forms import HouseForm, words_field
from practice.pages import client_of, record_of, staff_page
from practice.views.chart import frame, reader
from referrals.actions import decisions as actions
from referrals.models import CaseQuestion
from referrals.views.decisions import question_row, row


class AnswerForm(HouseForm):
    words = words_field(
        _("Your answer"),
        _("Write your answer."),
        help_text=_("It stands in the record with your name. Whoever asked is told."),
    )


@staff_page(Permission.READ_CHART)
def case_question(request: HttpRequest, pk: UUID, question: UUID) -> HttpResponse:
    """Read the question; the colleague who was asked answers it, once."""
    at = timezone.now()
    asked: CaseQuestion = record_of(request, CaseQuestion, question, of=pk)
    client = client_of(request, pk)
    person = reader(request)
    form = AnswerForm(request.POST or None)
    if request.method == "POST":
        if asked.to != person:
            raise Http404
        if form.is_valid() and _answered(request, asked, form, at):
            return redirect("case_question", pk, question)
    else:
        audit.seen(request, client, "question", asked)
    context = {
        **frame(request, client, at),
        "asked": asked,
        "row": question_row(asked, person),
        "decision": row(asked.decision, person) if asked.decision else None,
        "form": form if asked.to == person and (asked.answered_at is None or form.errors) else None,
    }
    return render(request, "referrals/case_question.html", context, status=400 if form.errors else 200)


def _answered(request: HttpRequest, asked: CaseQuestion, form: AnswerForm, at: datetime) -> bool:
    try:
        actions.answer(by=reader(request), asked=asked, words=form.cleaned_data["words"], at=at)
    except NotNow as sentence:
        form.add_error(None, str(sentence))
        return False
    messages.success(request, gettext("Answered. It stands in the record."))
    return True
