"""Who we are and whom we care for."""

from .alerts import Alert, AlertEvent, AlertNotice, SafetyContact
from .audit import AuditEvent, AuditHead
from .clients import Client, ClientRecord, NameStart
from .emergencies import EmergencyAccess
from .enquiries import Enquiry, PublicPages
from .exports import AccessRequest, Export, ExportFile
from .handovers import Handover
from .imports import ClientImport
from .instruments import InstrumentDraft, InstrumentPermission, InstrumentVersion
from .jobs import Job, KeptForm, Notice, SentForm
from .keeping import Backup, Erased, ErasureRequest, LegalHold
from .merges import Apart, Merge, Moved
from .notes import Note, PsychotherapyNote
from .people import CoverageShift, RoleGrant, User
from .safety_plans import SafetyPlan
from .sites import ClinicalSignature, Practice, Site
from .stops import Stop
from .tasks import Task

__all__ = [
    "AccessRequest",
    "Alert",
    "AlertEvent",
    "AlertNotice",
    "Apart",
    "AuditEvent",
    "AuditHead",
    "Backup",
    "Client",
    "ClientImport",
    "ClientRecord",
    "ClinicalSignature",
    "CoverageShift",
    "EmergencyAccess",
    "Enquiry",
    "Erased",
    "ErasureRequest",
    "Export",
    "ExportFile",
    "Handover",
    "InstrumentDraft",
    "InstrumentPermission",
    "InstrumentVersion",
    "Job",
    "KeptForm",
    "LegalHold",
    "Merge",
    "Moved",
    "NameStart",
    "Note",
    "Notice",
    "Practice",
    "PsychotherapyNote",
    "PublicPages",
    "RoleGrant",
    "SafetyContact",
    "SafetyPlan",
    "SentForm",
    "Site",
    "Stop",
    "Task",
    "User",
]
