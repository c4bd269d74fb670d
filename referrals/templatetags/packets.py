"""How a packet is drawn on a page."""

from collections.abc import Mapping
from typing import Any

from django import template
from django.utils.safestring import SafeString

from referrals import letters, packet
from referrals.models import Packet

register = template.Library()


@register.filter
def drawing(data: Mapping[str, Any]) -> SafeString:
    """Return the chart of a packet as SVG."""
    return packet.chart(data)[0]


@register.filter
def stamp(frozen: Packet) -> str:
    """Return the line at the end of a packet: version, verification code, when it was made."""
    return letters.stamp(frozen)
