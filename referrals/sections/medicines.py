"""Medicines, and what was tried for depression."""

from typing import Any

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from intake import trials
from referrals.models import Section
from referrals.sections.record import Block, Record, block, known, reported, row


def medicines_block(record: Record) -> Block:
    kinds = record.ticked("medicine-kinds")
    others = record.ticked("other-treatments")
    return block(
        Section.MEDICINES,
        "medicines",
        reported(record, _("Medicines"), "medicines-now"),
        rows=[
            row(_("Medicines now"), medicine_words(record.said("medicines-now"))),
            row(
                _("Of these kinds"),
                "" if kinds is None else "; ".join(kinds) or gettext("None of the kinds asked about"),
            ),
            row(_("Allergies"), record.client.allergies),
            row(_("Other treatments"), "" if others is None else "; ".join(others) or gettext("None")),
        ],
    )


def medicine_words(told: Any) -> str:
    if told is None:
        return ""
    said = []
    for each in told:
        if name := str(each.get("name") or "").strip():
            dose = str(each.get("dose") or "").strip() or gettext("dose not known")
            why = str(each.get("why") or "").strip()
            said.append(f"{name}, {dose}, {gettext('for {why}').format(why=why)}" if why else f"{name}, {dose}")
    return "; ".join(said) or gettext("None")


def trials_block(record: Record) -> Block:
    """Each medicine that was tried for depression: dose, weeks, how much it helped, why it ended."""
    told = record.said(trials.PAGE)
    title = gettext("Tried for depression")
    if not told:
        words = "" if told is None else gettext("None, by the client's word")
        return block(Section.MEDICINES, "trials", title, lines=[known(words)])
    fields = {field.key: field for field in record.form.by_slug[trials.PAGE].fields}
    rows = []
    for each in told:
        if drug := str(each.get("drug") or "").strip():
            helped = fields["best_improvement_pct"].choice(each.get("best_improvement_pct"))
            stopped = fields["stopped"].choice(each.get("stopped"))
            added = str(each.get("augment") or "").strip()
            mg, weeks = each.get("mg"), each.get("weeks")
            result = [choice.label for choice in (helped, stopped) if choice]
            rows.append(
                {
                    "cells": [
                        gettext("{drug} with {added}").format(drug=drug, added=added) if added else drug,
                        known("" if mg in (None, "") else gettext("{mg} mg").format(mg=f"{float(mg):g}")),
                        known("" if weeks in (None, "") else f"{float(weeks):g}"),
                        known("; ".join(result)),
                    ]
                }
            )
    columns = [gettext("Medicine"), gettext("Highest dose a day"), gettext("Weeks"), gettext("Result")]
    return block(Section.MEDICINES, "trials", title, table={"columns": columns, "rows": rows})
