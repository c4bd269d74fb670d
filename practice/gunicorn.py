"""How Waymark is served: `manage.py serve` runs gunicorn with these settings.

Without a broker the one web process also runs the jobs, in a thread of its own; with one, Celery workers do.
"""

import gc
import logging
from typing import Any

from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from gunicorn import glogging
from gunicorn.app.base import BaseApplication
from gunicorn.http import wsgi

from practice.jobs import Runner

THREADS = 8


class NamelessResponse(wsgi.Response):
    def default_headers(self) -> list[str]:
        return [line for line in super().default_headers() if not line.startswith("Server:")]


class Log(glogging.Logger):
    """gunicorn's own messages go through our log filter; there is no access log, because paths hold link tokens."""

    def setup(self, cfg: Any) -> None:
        self.error_log.handlers.clear()
        self.error_log.propagate = True
        self.error_log.setLevel(logging.WARNING)


class Server(BaseApplication):
    def __init__(self, host: str, port: int, workers: int) -> None:
        self.bind, self.workers = f"{host}:{port}", workers
        self.runner: Runner | None = None
        super().__init__()

    def load_config(self) -> None:
        wsgi.Response = NamelessResponse
        chosen = {
            "bind": self.bind,
            "workers": self.workers if settings.CELERY_BROKER_URL else 1,
            "worker_class": "gthread",
            "threads": THREADS,
            "timeout": 30,
            "graceful_timeout": 20,
            "keepalive": 15,
            "limit_request_line": 4094,
            "limit_request_fields": 60,
            "secure_scheme_headers": {},  # Django alone decides whom to believe about https (TRUSTED_PROXIES)
            "control_socket_disable": True,
            "logger_class": Log,
            "post_worker_init": self.begin,
            "worker_exit": self.stop_jobs,
        }
        for name, value in chosen.items():
            self.cfg.set(name, value)

    def load(self) -> WSGIHandler:
        from practice.wsgi import application  # once the settings are known

        return application

    def begin(self, worker: Any) -> None:
        """Threads start here, after the fork; never at import."""
        settle()
        if not settings.CELERY_BROKER_URL:
            self.runner = Runner()
            self.runner.start()

    def stop_jobs(self, arbiter: Any, worker: Any) -> None:
        if self.runner is not None:
            self.runner.stop()


def settle() -> None:
    """What is loaded by now stays: the collector need not walk it again while a page makes many objects."""
    gc.collect()
    gc.freeze()
