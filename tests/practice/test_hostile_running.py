"""Running the practice under attack: emergency access past its limits, copies, files that are no tables."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client as Browser

from practice import csv_in
from practice.models import User

As = Callable[[User], Browser]
Post = Callable[..., Any]


@pytest.mark.parametrize(
    "body",
    [b'"",""\n', b'"",""\n"",""\n', "\u00a0,\u00a0\n\u2003,\n".encode(), b"\x0b,\x0c\n", b'" ";" "\r\n" ";" "'],
)
def test_table_of_nothing_is_a_sentence(body: bytes) -> None:
    with pytest.raises(csv_in.NotATable):
        csv_in.read(body)
