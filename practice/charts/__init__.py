"""Charts as inline SVG, made on the server. Pure functions: data in, markup out.

Colours are classes, so nothing needs an inline style. Bands, cuts and lines come from the caller, who has them from the
instrument. A missing total is a gap in the line; a positive safety answer is drawn even when there is no total.
Time runs from left to right in every language.
"""

from practice.charts.lanes import Treatment
from practice.charts.plot import NARROW, PANEL, WIDE, Band, Size, band_of, band_tone
from practice.charts.sparks import sparkline
from practice.charts.trends import Point, clear_x, describe, trend

__all__ = [
    "NARROW",
    "PANEL",
    "WIDE",
    "Band",
    "Point",
    "Size",
    "Treatment",
    "band_of",
    "band_tone",
    "clear_x",
    "describe",
    "sparkline",
    "trend",
]
