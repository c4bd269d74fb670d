"""What staff write on the page of a referral after it was sent."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from practice.forms import Day, HouseForm, Moment, text, words_field
from referrals import attachments, states
from referrals.actions import acts, sending
from referrals.models import Destination, Referral, StatusChange
from referrals.states import Actor
from referrals.views.sending_forms import SendForm

Channel = StatusChange.Channel
TOLD_BY = [(channel.value, channel.label) for channel in (Channel.PHONE, Channel.FAX, Channel.MAIL, Channel.LETTER)]


class RecordForm(HouseForm):
    """What the clinic said, when it did not say so on its own page."""

    event = forms.ChoiceField(
        label=_("What the clinic said"),
        choices=[],
        error_messages={
            "required": _("Choose what the clinic said."),
            "invalid_choice": _("The referral has moved on meanwhile, and this does not follow from where it is now."),
        },
    )
    channel = forms.ChoiceField(label=_("How they told us"), choices=TOLD_BY)
    by_name = text(_("Who at the clinic"), 80)
    happened_at = Moment(label=_("When they said it"), required=False, help_text=_("Leave empty for now."))
    reason = forms.ChoiceField(
        label=_("For a decline: why"), choices=[("", _("Choose")), *acts.WhyNot.choices], required=False
    )
    visit_at = Moment(label=_("For a booking: the visit"), required=False)
    words = words_field(_("Their words"), "", required=False, rows=2)
    letter_words = words_field(_("What their letter says"), "", required=False, rows=3, max_length=20000)
    letter_file = forms.FileField(
        label=_("Or their letter as a file"),
        required=False,
        allow_empty_file=True,
        widget=forms.FileInput(attrs={"accept": attachments.ACCEPT}),
    )

    def __init__(self, *args: Any, referral: Referral, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        possible = states.open_to(referral.state, Actor.RECIPIENT)
        self.fields["event"].choices = [(event.value, event.label) for event in possible]  # type: ignore[attr-defined]


class CorrectForm(HouseForm):
    reason = words_field(_("What was wrong"), _("Write what was wrong."), rows=2)


class MessageForm(HouseForm):
    words = words_field(_("Write to the clinic"), _("Write your message first."))


class CancelForm(HouseForm):
    words = words_field(
        _("Why it is taken back"),
        _("Write why the referral is taken back."),
        rows=2,
        help_text=_("The clinic reads this. It stays in the list until they confirm."),
    )


class ResendForm(SendForm):
    email = forms.EmailField(
        label=_("Address of the clinic"), required=False, help_text=_("A new one goes into the directory, too.")
    )
    change = words_field(
        _("What is new since then"),
        "",
        required=False,
        rows=2,
        help_text=_("Leave empty to send the same packet. With words, a new version is made from today's record."),
    )
    field_order = ["email", "channels", "spoke_with", "change"]

    def __init__(self, *args: Any, reads: bool, **kwargs: Any) -> None:
        """Who tracks a referral without reading its packet sends the same one again, by what goes out by itself."""
        super().__init__(*args, **kwargs)
        if reads:
            return
        del self.fields["change"], self.fields["spoke_with"]
        channels = self.fields["channels"]
        channels.choices = [way for way in channels.choices if way[0] in sending.GOES_BY_ITSELF]  # type: ignore[attr-defined]


class CalledForm(HouseForm):
    reached = forms.TypedChoiceField(
        label=_("Were they reached?"),
        choices=[("yes", _("Yes")), ("no", _("No, try again"))],
        coerce=lambda value: value == "yes",
        widget=forms.RadioSelect,
        error_messages={"required": _("Say whether they were reached.")},
    )
    spoke_with = text(
        _("With whom, and what was said"),
        240,
        required=True,
        error_messages={"required": _("Write with whom you spoke, and what was said.")},
    )


class RedirectForm(HouseForm):
    destination = forms.ModelChoiceField(
        label=_("Another clinic"),
        queryset=Destination.objects.none(),
        empty_label=_("Choose a clinic"),
        error_messages={
            "required": _("Choose a clinic."),
            "invalid_choice": _("Choose one of the clinics of the directory."),
        },
    )

    def __init__(self, *args: Any, referral: Referral, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        others = Destination.objects.filter(is_active=True).exclude(pk=referral.destination_id)
        self.fields["destination"].queryset = others  # type: ignore[attr-defined]


class SessionForm(HouseForm):
    act = forms.ChoiceField(
        label=_("Session"), choices=[("book", _("Booked")), ("done", _("Done")), ("missed", _("Missed"))]
    )
    number = forms.IntegerField(label=_("Number"), min_value=1, max_value=99)
    on = Day(
        label=_("Day"),
        error_messages={
            "required": _("Give the day of the session."),
            "invalid": _("Write the day as year, month, day, such as 2026-11-24."),
        },
    )
    channel = forms.ChoiceField(label=_("How they told us"), choices=TOLD_BY)
    by_name = text(_("Who at the clinic"), 80)
    note = text(_("What they added"), 240)
