"""The marks of a chart: SVG elements with everything escaped, and numbers as short as they can be."""

from collections.abc import Sequence
from datetime import date

from django.utils.dateformat import format as format_date
from django.utils.html import conditional_escape, escape
from django.utils.safestring import SafeString
from django.utils.translation import pgettext


def number(value: float) -> str:
    """Return a number with at most one decimal and no trailing zero."""
    short = f"{value:.1f}".removesuffix(".0")
    return "0" if short == "-0" else short


def long_day(on: date) -> str:
    # Translators: a date inside a sentence. M is the short month, j the day, Y the year.
    return format_date(on, pgettext("in a sentence", "M j, Y"))


def element(name: str, inside: str = "", **attributes: object) -> SafeString:
    """Return one element. An underscore in an attribute's name is a hyphen, at its end nothing; "" leaves it out.

    Every value is escaped here and only here; the names are ours.
    """
    flat = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{number(value) if isinstance(value, int | float) else escape(value)}"'
        for key, value in attributes.items()
        if value != ""
    )
    return SafeString(f"<{name}{flat}/>" if inside == "" else f"<{name}{flat}>{conditional_escape(inside)}</{name}>")


def wrapped(words: str, room: float, font: float) -> list[str]:
    """Break words into at most two lines that fit the room; the second is cut when even that is too long."""
    fits = max(4, int(room / (font * 0.52)))
    if len(words) <= fits:
        return [words]
    head = words[: fits + 1].rpartition(" ")[0] or words[:fits]
    tail = words[len(head) :].strip()
    return [head, tail if len(tail) <= fits else tail[: fits - 1] + "…"]


class Drawing:
    """Marks in the order they are painted."""

    def __init__(self) -> None:
        self.marks: list[SafeString] = []

    def line(self, css: str, x1: float, y1: float, x2: float, y2: float) -> None:
        self.marks.append(element("line", class_=css, x1=x1, y1=y1, x2=x2, y2=y2))

    def rect(self, css: str, x: float, y: float, width: float, height: float, radius: float = 0) -> None:
        rx = radius or ""
        self.marks.append(element("rect", class_=css, x=x, y=y, width=max(0.0, width), height=height, rx=rx))

    def text(self, words: object, x: float, y: float, *, css: str = "", anchor: str = "", font: float = 0) -> None:
        self.marks.append(element("text", str(words), class_=css, text_anchor=anchor, font_size=font or "", x=x, y=y))

    def circle(self, css: str, x: float, y: float, r: float, title: str = "") -> None:
        self.marks.append(element("circle", _title(title), class_=css, cx=x, cy=y, r=r))

    def diamond(self, css: str, x: float, y: float, r: float, title: str = "") -> None:
        d = f"M{number(x)} {number(y - r)}l{r} {r}-{r} {r}-{r}-{r}z"
        self.marks.append(element("path", _title(title), class_=css, d=d))

    def path(self, css: str, corners: Sequence[tuple[float, float]]) -> None:
        """Draw a line through the corners; fewer than two draw nothing."""
        if len(corners) > 1:
            d = "M" + "L".join(f"{number(x)} {number(y)}" for x, y in corners)
            self.marks.append(element("path", class_=css, d=d))

    def svg(self, css: str, width: float, height: float, **attributes: object) -> SafeString:
        inside = SafeString("".join(self.marks))  # made by element(), so escaped
        box = f"0 0 {number(width)} {number(height)}"
        return element("svg", inside, class_=css, viewBox=box, **attributes)

    def told(
        self, css: str, width: float, height: float, *, chart_id: str, title: str, description: str, font: float
    ) -> SafeString:
        """Return the drawing with a title and a description that screen readers read out."""
        self.marks[:0] = [
            element("title", title, id=f"{chart_id}-t"),
            element("desc", description, id=f"{chart_id}-d"),
        ]
        labels = f"{chart_id}-t {chart_id}-d"
        return self.svg(css, width, height, role="img", aria_labelledby=labels, font_size=font)


def _title(words: str) -> str:
    return element("title", words) if words else ""
