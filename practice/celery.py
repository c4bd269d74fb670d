"""The Celery app: it carries job ids to workers. What is to be done lives in the Job table."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "practice.settings")

app = Celery("waymark")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["practice"])
# The one list of periodic jobs is practice.schedule; beat only knocks. A knock that nobody heard in time is dropped.
app.conf.beat_schedule = {"tick": {"task": "practice.tick", "schedule": 10.0, "options": {"expires": 10}}}
app.conf.beat_scheduler = "celery.beat:Scheduler"  # nothing to remember between two starts
app.conf.worker_hijack_root_logger = False  # our log filter stays in force (practice.logs)
app.conf.worker_enable_remote_control = False
