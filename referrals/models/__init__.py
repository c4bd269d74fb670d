"""Care that others give."""

from .courses import Course, CourseSession
from .decisions import Addendum, CareToday, CaseQuestion, Clearance, Decision
from .destinations import DeskKey, Destination, Path
from .facts import ClinicianFact
from .referrals import ClientWord, Letter, Message, Referral, Sending, StatusChange
from .releases import Disclosure, Packet, Release, Section
from .reports import ReportFile, ReportPart
from .rule_changes import RuleChange
from .suggestions import Suggestion

__all__ = [
    "Addendum",
    "CareToday",
    "CaseQuestion",
    "Clearance",
    "ClientWord",
    "ClinicianFact",
    "Course",
    "CourseSession",
    "Decision",
    "DeskKey",
    "Destination",
    "Disclosure",
    "Letter",
    "Message",
    "Packet",
    "Path",
    "Referral",
    "Release",
    "ReportFile",
    "ReportPart",
    "RuleChange",
    "Section",
    "Sending",
    "StatusChange",
    "Suggestion",
]
