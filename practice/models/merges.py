from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

from django.db import models
from django.db.models import Q

from practice.models.clients import Client, ClientRecord, RecordQuerySet
from practice.sealed import SealedField, SealedJSON

if TYPE_CHECKING:
    from django.db.models.fields.related_descriptors import RelatedManager


class Merge(ClientRecord):
    """Two records were one person: `former` was merged into `client`. Undone by a person, it says so and stays."""

    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="merges")
    former = models.ForeignKey(Client, on_delete=models.SET_NULL, null=True, related_name="merged_as")
    at = models.DateTimeField()
    by = models.ForeignKey("practice.User", on_delete=models.PROTECT, related_name="+")
    words = SealedField()
    facts = SealedJSON()  # {"kept": {field: before}, "made": {field: since}, "former": {field: as it is there}}
    had = models.JSONField(default=dict)  # {table: how many rows the kept record had of its own}
    undone_at = models.DateTimeField(null=True, blank=True)
    undone_by = models.ForeignKey("practice.User", on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    undone_words = SealedField()

    if TYPE_CHECKING:
        client_id: Any
        former_id: Any
        moves: RelatedManager[Moved]

    class Privacy:
        identifying = ["facts"]
        clinical = ["words", "undone_words"]
        plain = ["id", "client", "former", "at", "by", "had", "undone_at", "undone_by"]

    class Meta:
        ordering: ClassVar[list[str]] = ["-at"]
        constraints = [
            models.UniqueConstraint(fields=["former"], name="merged_away_once", condition=Q(undone_at=None)),
            models.CheckConstraint(
                condition=Q(undone_at=None, undone_by=None) | Q(undone_at__isnull=False, undone_by__isnull=False),
                name="merge_undone_by_somebody",
            ),
        ]

    def __str__(self) -> str:
        return f"Merge {self.at:%Y-%m-%d}"


class ApartQuerySet(RecordQuerySet):
    def standing(self, *pair: Any) -> Self:
        """Those that hold; of these two records only, when they are named."""
        found = self.filter(undone_at=None)
        return found.filter(client__in=pair, other__in=pair) if pair else found


class Apart(ClientRecord):
    """Somebody compared two records and says that they are two people. Taken back, it says so and stays."""

    client = models.ForeignKey(Client, on_delete=models.CASCADE, related_name="apart")  # the older of the two
    other = models.ForeignKey(Client, on_delete=models.CASCADE, related_name="+")
    why = models.JSONField(default=list)  # what was alike then (alike.WHY); what comes to be alike later asks again
    at = models.DateTimeField()
    by = models.ForeignKey("practice.User", on_delete=models.PROTECT, related_name="+")
    words = SealedField()
    undone_at = models.DateTimeField(null=True, blank=True)
    undone_by = models.ForeignKey("practice.User", on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    undone_words = SealedField()

    objects: ClassVar[Any] = ApartQuerySet.as_manager()
    if TYPE_CHECKING:
        client_id: Any
        other_id: Any

    class Privacy:
        clinical = ["words", "undone_words"]
        plain = ["id", "client", "other", "why", "at", "by", "undone_at", "undone_by"]

    class Meta:
        ordering: ClassVar[list[str]] = ["-at", "pk"]
        constraints = [
            models.CheckConstraint(condition=~Q(client=models.F("other")), name="apart_are_two"),
            models.CheckConstraint(
                condition=Q(undone_at=None, undone_by=None) | Q(undone_at__isnull=False, undone_by__isnull=False),
                name="apart_undone_by_somebody",
            ),
        ]

    def __str__(self) -> str:
        return f"Two people {self.at:%Y-%m-%d}"


class Moved(ClientRecord):
    """The ledger of a merge: which rows of one table moved. Written once, never changed."""

    client_path = "merge__client"

    merge = models.ForeignKey(Merge, on_delete=models.CASCADE, related_name="moves")
    table = models.CharField(max_length=60)  # the model's label
    column = models.CharField(max_length=30)
    keys = models.JSONField(default=list)
    values = models.JSONField(default=dict)  # {key: {field: before}} where a number was changed, too
    at = models.DateTimeField()

    class Privacy:
        plain = ["id", "merge", "table", "column", "keys", "values", "at"]

    class Meta:
        ordering: ClassVar[list[str]] = ["at", "table"]

    def __str__(self) -> str:
        return f"{self.table} {len(self.keys)}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise ValueError("What was moved cannot be written anew.")
        super().save(*args, **kwargs)
