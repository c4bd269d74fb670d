"""The Celery app: it carries job ids to workers. What is to be done lives in the Job table."""

from celery import Celery

app = Celery("waymark")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["practice"])
