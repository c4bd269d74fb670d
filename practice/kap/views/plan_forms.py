"""The forms of a plan: moving, adding and skipping a session, ending the plan, lifting a limit."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from practice.clinical import planning
from practice.forms import HouseForm, Moment, words_field
from practice.kap import words
from practice.kap.models import Plan, Session
from practice.kap.views.making import FURTHEST, OneOf
from practice.templatetags.ui import moment

State = Session.State
LIFTED = {code: words.CONFLICTS[code] for code, by in planning.CLEARED_BY.items() if by == "override"}


class SessionChoice(OneOf):
    def label_from_instance(self, obj: Session) -> str:
        return gettext("{session}, {when}").format(session=obj, when=moment(obj.starts_at))


def session_field() -> SessionChoice:
    return SessionChoice(
        label=_("Session"),
        queryset=Session.objects.none(),
        empty_label=_("Choose a session"),
        error_messages={
            "required": _("Choose the session."),
            "invalid_choice": _("That session is not ahead any more. Choose another."),
        },
    )


class OfPlan(HouseForm):
    """A form that names one of the sessions that are ahead."""

    def __init__(self, *args: Any, plan: Plan, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "session" in self.fields:
            self.fields["session"].queryset = plan.sessions.filter(state__in=Session.AHEAD)  # type: ignore[attr-defined]


def within_reach(starts_at: datetime) -> None:
    if starts_at > timezone.now() + FURTHEST:
        raise forms.ValidationError(gettext("Choose a time within two years."))


class MoveForm(OfPlan):
    session = session_field()
    starts_at = Moment(
        label=_("New day and time"),
        validators=[within_reach],
        error_messages={"required": _("Choose the new day and time.")},
    )
    with_rest = forms.BooleanField(
        label=_("Move everything after it by as much"),
        required=False,
        help_text=_("Without this, a dose takes its own integration along, and the rest stays."),
    )
    said = words_field(_("Why"), "", required=False, rows=2)


class AddForm(OfPlan):
    kind = forms.ChoiceField(
        label=_("Kind"), choices=Session.Kind.choices, error_messages={"required": _("Choose the kind.")}
    )
    starts_at = Moment(
        label=_("Day and time"),
        validators=[within_reach],
        error_messages={"required": _("Choose the day and time.")},
    )
    said = words_field(_("Why"), "", required=False, rows=2)


class SkipForm(OfPlan):
    session = session_field()
    missed = forms.TypedChoiceField(
        label=_("What happened"),
        choices=[("no", _("It is left out")), ("yes", _("The client missed it"))],
        coerce=lambda value: value == "yes",
        widget=forms.RadioSelect,
        error_messages={"required": _("Say what happened.")},
    )
    said = words_field(_("Why"), _("Write why this session is left out."), rows=2)


class EndForm(OfPlan):
    state = forms.ChoiceField(
        label=_("How it ends"),
        choices=[(Plan.State.DONE, _("It is complete")), (Plan.State.STOPPED, _("It stops early"))],
        widget=forms.RadioSelect,
        error_messages={"required": _("Say how it ends.")},
    )
    said = words_field(_("Why"), _("Write why the plan ends."), rows=3)


class OverrideForm(OfPlan):
    codes = forms.MultipleChoiceField(
        label=_("What is lifted"),
        choices=[],
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": _("Choose the limit that is lifted.")},
    )
    said = words_field(_("The reason"), _("Write the reason."), rows=3)

    def __init__(self, *args: Any, codes: Sequence[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["codes"].choices = [(code, LIFTED[code]) for code in codes]  # type: ignore[attr-defined]
