"""How things are shown: icons, dates, times, and small pieces that a template cannot say itself."""

from datetime import date, datetime
from functools import cache
from pathlib import Path
from xml.etree import ElementTree

from django import template
from django.forms import BoundField
from django.templatetags.static import static
from django.utils import timezone
from django.utils.dateformat import format as format_date
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext, pgettext

register = template.Library()
SPRITE = Path(__file__).resolve().parent.parent / "static" / "practice" / "icons.svg"


@cache
def icon_names() -> frozenset[str]:
    return frozenset(symbol.get("id", "") for symbol in ElementTree.parse(SPRITE).getroot())  # noqa: S314 (our own file)


@register.simple_tag
@cache
def icon(name: str, classes: str = "") -> SafeString:
    """Return one icon of the sprite, hidden from screen readers: words always stand beside it."""
    if name not in icon_names():
        raise template.TemplateSyntaxError(f"There is no icon called {name!r}.")
    return format_html(
        '<svg class="i{}{}" aria-hidden="true" focusable="false"><use href="{}#{}"/></svg>',
        " " if classes else "",
        classes,
        static("practice/icons.svg"),
        name,
    )


def _local(value: date) -> date:
    """The same moment in the zone of the page; a plain day stays as it is."""
    return timezone.localtime(value) if isinstance(value, datetime) and timezone.is_aware(value) else value


@register.filter
def day(value: date | None) -> str:
    """Return "Fri Nov 20", with the year when it is not this one."""
    if not value:
        return ""
    value = _local(value)
    # Translators: a day of this year. D is the short weekday, M the short month, j the day; order them as people write.
    pattern = pgettext("day", "D M j")
    if value.year != timezone.localdate().year:
        # Translators: a day of another year.
        pattern = pgettext("day with year", "D M j, Y")
    return format_date(value, pattern)


@register.filter
def full_day(value: date | None) -> str:
    """Return "Nov 5, 2026": for birth dates, signatures and whatever is kept for years."""
    # Translators: a date with its year and no weekday.
    return format_date(_local(value), pgettext("full day", "M j, Y")) if value else ""


@register.filter
def clock(value: datetime | None) -> str:
    """Return "9:42 pm"."""
    if not value:
        return ""
    value = timezone.localtime(value) if timezone.is_aware(value) else value
    # Translators: a time of day. g:i is the hour and minute; write G:i and leave out {half} for a 24-hour clock.
    return format_date(value, pgettext("time", "g:i")) + pgettext("half of the day", " {half}").format(
        half=gettext("am") if value.hour < 12 else gettext("pm")
    )


@register.filter
def moment(value: datetime | None) -> str:
    """Return "Fri Nov 20, 9:42 pm"."""
    # Translators: a day and a time on that day.
    return gettext("{day}, {time}").format(day=day(value), time=clock(value)) if value else ""


@register.filter
def signed(value: int | None) -> str:
    """Return "+5", "−3" or "0": a change, never without its sign."""
    return "" if value is None else f"{'+' if value > 0 else '−' if value < 0 else ''}{abs(value)}"


@register.filter
def tel(number: str) -> str:
    """Return a phone number as a link wants it: digits and a leading plus."""
    digits = "".join(char for char in str(number) if char.isdecimal())
    return f"+{digits}" if str(number).strip().startswith("+") else digits


@register.filter
def phone_link(number: str) -> SafeString:
    """Return a phone number that a tap calls."""
    return format_html('<a class="nowrap" href="tel:{}">{}</a>', tel(number), number)


@register.filter
def to_call(number: str, hours: str) -> SafeString:
    """Return a number that a tap calls, and the hours where there are any, to stand within a sentence."""
    return format_html("{}, {}", phone_link(number), hours) if hours else phone_link(number)


@register.filter
def initials(name: object) -> str:
    """Return at most two letters: first and last word of a name."""
    words = str(name).split()
    return "".join(word[0] for word in (words if len(words) < 3 else [words[0], words[-1]])).upper()


@register.simple_tag
def segments(current: int, total: int, share: float = 0) -> list[str]:
    """Return the class of each part of the progress bar: done, then now with its tenth, then empty."""
    tenth = min(9, max(0, int(share * 10)))
    return ["done" if n < current else f"now p{tenth}" if n == current else "" for n in range(1, total + 1)]


@register.filter
def first_id(field: BoundField) -> str:
    """Return the id of the control an error links to: the first radio, the first box of a date, else the control."""
    return field.id_for_label or f"{field.auto_id}_0"


@register.filter
def control(field: BoundField) -> SafeString:
    """Return the control in the class of its kind; Django adds id, autocomplete, aria-describedby and aria-invalid."""
    shape = {"select": "select", "textarea": "textarea", "file": "file"}.get(kind(field), "input")
    return field.as_widget(attrs={"class": f"{shape} {field.field.widget.attrs.get('class', '')}".strip()})


@register.filter
def parts(field: BoundField) -> list[dict[str, object]]:
    """Return the boxes of a field that has several, such as day, month and year; [] for any other."""
    return field.subwidgets[0].data.get("subwidgets", []) if hasattr(field.field.widget, "widgets") else []


@register.filter
def kind(field: BoundField) -> str:
    """Return how the pack lays a field out: options, check, parts, select, textarea, file or input."""
    widget = field.field.widget
    input_type = getattr(widget, "input_type", "")
    if hasattr(widget, "widgets"):
        return "parts"
    if input_type == "radio" or (input_type == "checkbox" and widget.use_fieldset):
        return "options"
    return {"checkbox": "check", "select": "select", "file": "file"}.get(input_type) or (
        "textarea" if type(widget).__name__.lower().endswith("textarea") else "input"
    )
