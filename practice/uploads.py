"""Files that arrive: one to a request, of a known greatest size, only where a view says that it takes one.

A file is kept in memory and never in a temporary folder, since it may tell of a client and a disk keeps what was
deleted. One that is too large is not read to its end; what was typed before it in the form is kept.
"""

from collections.abc import Callable
from io import BytesIO
from typing import Any, TypeVar

from django.core.exceptions import TooManyFilesSent
from django.core.files.uploadedfile import InMemoryUploadedFile
from django.core.files.uploadhandler import FileUploadHandler, StopUpload
from django.http import HttpRequest, HttpResponse

View = TypeVar("View", bound=Callable[..., Any])
LARGEST = 20 * 1024 * 1024
AROUND = 1024 * 1024  # what a form may have besides the file


def takes_file(view: View) -> View:
    """Mark a view whose form may carry a file. It stands last in that form: one too large ends the reading."""
    view.takes_file = True  # type: ignore[attr-defined]
    return view


def was_too_large(request: HttpRequest) -> bool:
    """Whether this request brought a file larger than LARGEST. It is in no list of files then."""
    return bool(request.POST is not None and getattr(request, "file_too_large", False))


def as_attachment(body: bytes, kind: str, name: str) -> HttpResponse:
    """Return a file to be kept, never to be shown or run by the browser. Its name says nothing of a client."""
    headers: dict[str, Any] = {
        "Content-Disposition": f'attachment; filename="{name}"',
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
        "Cache-Control": "no-store",
    }
    return HttpResponse(body, content_type=f"{kind}; charset=utf-8" if kind == "text/plain" else kind, headers=headers)


class OneFile(FileUploadHandler):
    """The only upload handler: asks the view first, then keeps at most LARGEST bytes."""

    whole_length = 0  # of the request; the base class keeps that of the file, which browsers do not say

    def handle_raw_input(
        self, input_data: Any, META: Any, content_length: int, boundary: str, encoding: str | None = None
    ) -> None:
        self.whole_length = content_length

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        match = getattr(self.request, "resolver_match", None)
        if match is None or not getattr(match.func, "takes_file", False):
            raise TooManyFilesSent("This page takes no file.")
        super().new_file(*args, **kwargs)
        self.parts: list[bytes] = []
        self.size = 0
        if self.whole_length > LARGEST + AROUND:
            self._refuse()

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        self.size += len(raw_data)
        if self.size > LARGEST:
            self._refuse()
        self.parts.append(raw_data)

    def _refuse(self) -> None:
        self.request.file_too_large = True  # type: ignore[union-attr]
        self.parts = []
        raise StopUpload(connection_reset=True)

    def file_complete(self, file_size: int) -> InMemoryUploadedFile:
        body, self.parts = BytesIO(b"".join(self.parts)), []
        return InMemoryUploadedFile(
            body, self.field_name, self.file_name or "", self.content_type or "", file_size, self.charset
        )
