"""Every column says what it tells about a person; every row of a client can be scoped; identity is never in clear."""

import pytest
from django.db import models

from practice.models import Client, ClientRecord
from practice.privacy import classes, columns, our_models
from practice.sealed import SealedField

MODELS = our_models()
IDENTIFYING_IN_CLEAR = {
    "email_index",
    "phone_index",
    "other_id_index",
    "origin_index",
    "address_index",
    "start",
}  # keyed digests
# Free text is sealed; these short texts are ours, chosen from a list, or names of staff and places.
OPEN_TEXT = {
    "practice.Practice", "practice.Site", "practice.User", "practice.ClinicalSignature", "practice.AuditEvent",
    "practice.AuditHead", "practice.Job", "practice.SentForm", "practice.KeptForm", "practice.RoleGrant",
    "practice.NameStart", "intake.AgreementText",
}  # fmt: skip


@pytest.mark.parametrize("model", MODELS, ids=lambda m: m._meta.label)
def test_every_column_has_a_privacy_class(model: type[models.Model]) -> None:
    assert set(columns(model)) - set(classes(model)) == set()
    assert set(classes(model)) - set(columns(model)) == set()


@pytest.mark.parametrize("model", MODELS, ids=lambda m: m._meta.label)
def test_identifying_columns_are_sealed(model: type[models.Model]) -> None:
    clear = {
        name
        for name, kind in classes(model).items()
        if kind == "identifying" and not isinstance(model._meta.get_field(name), SealedField)
    }
    assert clear <= IDENTIFYING_IN_CLEAR


@pytest.mark.parametrize("model", MODELS, ids=lambda m: m._meta.label)
def test_free_text_is_sealed(model: type[models.Model]) -> None:
    if model._meta.label in OPEN_TEXT:
        return
    texts = [f.name for f in model._meta.concrete_fields if isinstance(f, models.TextField)]
    assert texts == []


@pytest.mark.parametrize("model", MODELS, ids=lambda m: m._meta.label)
def test_row_of_a_client_is_a_client_record(model: type[models.Model]) -> None:
    points_at_client = any(f.is_relation and f.related_model is Client for f in model._meta.concrete_fields)
    if points_at_client and model._meta.label not in {"practice.NameStart", "practice.Notice"}:
        assert issubclass(model, ClientRecord)
    if issubclass(model, ClientRecord):
        assert hasattr(model.objects, "visible_to")
        model.objects.filter(**{f"{model.client_path}__isnull": True})  # the path exists
