"""Care that we give: plans of ketamine-assisted psychotherapy and their sessions."""

from .clearance import ClearanceRequest, DoseClearance, DoseUse, OutsidePrescriber, Override, Route, Withdrawal
from .plans import Absence, ClientAbsence, Plan, PlanChange, Session
from .room import ChaperoneLink, Entry, Feed, Intention

__all__ = [
    "Absence",
    "ChaperoneLink",
    "ClearanceRequest",
    "ClientAbsence",
    "DoseClearance",
    "DoseUse",
    "Entry",
    "Feed",
    "Intention",
    "OutsidePrescriber",
    "Override",
    "Plan",
    "PlanChange",
    "Route",
    "Session",
    "Withdrawal",
]
