"""The application that servers load."""

import os
from typing import Any

import django
from django.core.handlers.wsgi import WSGIHandler, WSGIRequest
from django.utils.http import parse_header_parameters

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "practice.settings")


class PlainRequest(WSGIRequest):
    """A request whose form is UTF-8, whatever it calls itself, and whose cookies a database can look up.

    Other codecs make half letters, or are no text at all; a quoted cookie can spell a NUL.
    """

    def __init__(self, environ: dict[str, Any]) -> None:
        super().__init__(environ)
        self.COOKIES = {name: value for name, value in self.COOKIES.items() if "\x00" not in value}

    def _set_content_type_params(self, meta: dict[str, Any]) -> None:
        self.content_type, self.content_params = parse_header_parameters(meta.get("CONTENT_TYPE", ""))


class Application(WSGIHandler):
    request_class = PlainRequest


django.setup(set_prefix=False)
application = Application()
