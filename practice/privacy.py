"""The privacy class of every column. Each model says it in `class Privacy`; a test fails on a column without one.

IDENTIFYING  tells who somebody is or how to reach them
CLINICAL     tells how somebody is, or what was done for them
PLAIN        neither (ids, states, clocks)
`sealed` is not said twice: a column is sealed when its field is a SealedField.
"""

from collections.abc import Iterator

from django.apps import apps
from django.db import models

from practice.sealed import SealedField

OURS = ("practice", "intake", "referrals", "kap")


def our_models() -> list[type[models.Model]]:
    return [model for label in OURS for model in apps.get_app_config(label).get_models()]


def classes(model: type[models.Model]) -> dict[str, str]:
    """Return {field name: "identifying" | "clinical" | "plain"} for every concrete column of the model."""
    said = {}
    privacy = getattr(model, "Privacy", None)
    for kind in ("identifying", "clinical", "plain"):
        for name in getattr(privacy, kind, ()):
            said[name] = kind
    return said


def columns(model: type[models.Model]) -> Iterator[str]:
    return (f.name for f in model._meta.concrete_fields)


def sealed_fields(model: type[models.Model]) -> list[SealedField]:
    return [f for f in model._meta.concrete_fields if isinstance(f, SealedField)]
