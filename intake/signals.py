"""The one signal of Waymark: a sitting was submitted. Sent inside the submitting transaction."""

from django.dispatch import Signal

assessment_submitted = Signal()  # sender=Intake class; intake=the sitting; at=when
