"""The small chart in a row of the caseload."""

from collections.abc import Collection, Sequence

from django.utils.safestring import SafeString
from django.utils.translation import gettext

from practice.charts.drawing import Drawing, number

WIDTH, HEIGHT, EDGE = 108, 44, 4


def sparkline(
    totals: Sequence[float | None],
    *,
    name: str,
    maximum: float,
    minimum: float = 0,
    cut: float | None = None,
    safety: Collection[int] = (),
) -> SafeString:
    """Draw the last totals, oldest first.

    `cut` is a dotted line, shaded above. `safety` holds the indexes with a positive safety answer: the newest total is
    then a diamond, and so is every answer without a total.
    """

    def x(i: int) -> float:
        return EDGE + i * (WIDTH - 2 * EDGE) / max(1, len(totals) - 1)

    def y(total: float) -> float:
        share = (min(max(total, minimum), maximum) - minimum) / ((maximum - minimum) or 1)
        return HEIGHT - EDGE - share * (HEIGHT - 2 * EDGE)

    art = Drawing()
    if cut is not None:
        art.rect("bd", 0, 0, WIDTH, y(cut))
        art.line("th", 0, y(cut), WIDTH, y(cut))
    known = [(i, total) for i, total in enumerate(totals) if total is not None]
    art.path("l", [(x(i), y(total)) for i, total in known])
    for i, total in known[-1:]:
        if i in safety:
            art.diamond("pt9", x(i), y(total), 4.6)
        else:
            art.circle("pt", x(i), y(total), 3.2)
    for i in sorted(i for i in safety if i < len(totals) and totals[i] is None):
        art.diamond("pt9", x(i), HEIGHT - 6, 4.6)
    said = ", ".join(gettext("no total") if total is None else number(total) for total in totals)
    label = gettext("{name}, oldest to newest: {totals}").format(name=name, totals=said or gettext("nothing yet"))
    if safety and totals and len(totals) - 1 in safety:
        label = gettext("{said}, safety question positive").format(said=label)
    return art.svg("spark", WIDTH, HEIGHT, role="img", aria_label=label, preserveAspectRatio="none")
