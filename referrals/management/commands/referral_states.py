"""manage.py referral_states: the states of a referral as a page with a diagram, from the table itself."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from referrals.states import STEPS, TERMINAL, Actor, Event, State

PAGE = settings.ROOT / "docs/referral-states.md"
HEAD = """# The states of a referral

Made by `manage.py referral_states --write` from `referrals/states.py`; a test fails when this page and the table
differ, and another when the table and the published list (`tests/data/bser_360x_transitions.csv`, BSER-360X in
[clinical sources](clinical-sources.md)) do. Nothing that is not listed here happens.

- **The practice** sends, and asks to take back. **The clinic** does the rest; staff may write it down for the clinic,
  with the channel and the evidence, and both names are kept.
- Taking back is a request until the clinic confirms it; its outcome report may still come.
- A decline ends this row. The next clinic is a new row on the same request.
- The six infusions are visits of one referral. It is completed by an outcome report and by nothing else.
- A wrong entry is taken back by a later entry (`actions.events.correct`), which is no transition.
- A clock that runs out reminds, calls and tells; it never changes a state.
"""
WHO = {Actor.INITIATOR: "practice", Actor.RECIPIENT: "clinic"}


class Command(BaseCommand):
    help = "Print the page on the states of a referral, or write it to docs/referral-states.md."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--write", action="store_true")

    def handle(self, write: bool, **options: Any) -> None:
        if write:
            PAGE.write_text(page())
        else:
            self.stdout.write(page(), ending="")


def page() -> str:
    return f"{HEAD}\n```mermaid\n{diagram()}```\n\n{table()}"


def diagram() -> str:
    lines = ["stateDiagram-v2"]
    lines += [f"    {_node(state)}: {state.value} {_plain(state)}" for state in State]
    lines.append(f"    [*] --> {_node(State.DRAFT)}")
    lines += [f"    {_node(step.source)} --> {_node(step.target)}: {_plain(step.event)}" for step in STEPS]
    lines += [f"    {_node(state)} --> [*]" for state in TERMINAL]
    return "\n".join(lines) + "\n"


def table() -> str:
    rows = ["| no. | by | event | from | to |", "|---|---|---|---|---|"]
    for step in STEPS:
        source, target = (f"{state.value} {_plain(state)}" for state in (step.source, step.target))
        rows.append(f"| {step.tid} | {WHO[step.actor]} | {_plain(step.event)} | {source} | {target} |")
    return "\n".join(rows) + "\n"


def _node(state: State) -> str:
    return "s" + state.value.replace(".", "_")


def _plain(member: State | Event) -> str:
    """The words of the source language, whatever the language of the shell."""
    return str(member.label)
