"""Opening a practice's export, a folder or a zip, and proving that it is whole before anything is taken from it.

Nothing is unpacked onto the disk. Every file is listed in the manifest with its length and SHA-256, every listed file
is there, and there is no other.
"""

import hashlib
import json
import re
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Protocol

from practice.bundle import FORMAT, MANIFEST, VERSION

UNTOUCHED = "Nothing was taken in."
LONGEST_MANIFEST = 256 << 20  # a line is about 150 bytes: more than a million files
LARGEST = 256 << 20  # a file that we write is a thousand rows, or one stored file of at most 20 MB
CHUNK = 1 << 20
PATHS = re.compile(
    r"(?:json|csv)/[a-z]+-[a-z]+-[0-9]{4,9}\.(?:json|csv)|files/[a-z]+-[a-z]+/[0-9a-z][0-9a-z_.-]*"
    r"|columns\.csv|README\.txt"
)
PART = re.compile(r"json/([a-z]+-[a-z]+)-([0-9]+)\.json")
SHA256 = re.compile(r"[0-9a-f]{64}")


class BundleTrouble(ValueError):
    """Why this is not taken in, as a sentence. Nothing was changed."""

    def __init__(self, sentence: str) -> None:
        super().__init__(f"{sentence} {UNTOUCHED}")


class Source(Protocol):
    def sizes(self) -> dict[str, int]: ...

    def open(self, path: str) -> IO[bytes]: ...


class Folder:
    def __init__(self, root: Path) -> None:
        self.root = root

    def sizes(self) -> dict[str, int]:
        found = {}
        for file in self.root.rglob("*"):
            name = file.relative_to(self.root).as_posix()
            if file.is_symlink() or not (file.is_file() or file.is_dir()):
                raise BundleTrouble(f"{name} is no plain file.")
            if file.is_file():
                found[name] = file.stat().st_size
        return found

    def open(self, path: str) -> IO[bytes]:
        return (self.root / path).open("rb")


class Zip:
    def __init__(self, file: zipfile.ZipFile) -> None:
        self.file = file

    def sizes(self) -> dict[str, int]:
        members = [info for info in self.file.infolist() if not info.is_dir()]
        twice = next((name for name, n in Counter(info.filename for info in members).items() if n > 1), None)
        if twice is not None:
            raise BundleTrouble(f"{twice} is in the file twice.")
        return {info.filename: info.file_size for info in members}

    def open(self, path: str) -> IO[bytes]:
        return self.file.open(path)


@dataclass(frozen=True)
class Listed:
    size: int
    sha256: str


@dataclass
class Bundle:
    source: Source
    manifest: dict[str, Any]
    sha256: str  # of the manifest
    files: dict[str, Listed]
    parts: dict[str, list[str]] = field(default_factory=dict)  # table -> the paths of its rows, in order

    def body(self, path: str) -> bytes:
        """Return a file, proved anew. Raises BundleTrouble when it is not what the manifest says."""
        return b"".join(self.read(path))

    def read(self, path: str) -> Iterator[bytes]:
        listed, seen, length = self.files[path], hashlib.sha256(), 0
        try:
            with self.source.open(path) as stream:
                while chunk := stream.read(min(CHUNK, listed.size - length + 1)):
                    seen.update(chunk)
                    length += len(chunk)
                    if length > listed.size:
                        break
                    yield chunk
        except UNREADABLE as trouble:
            raise BundleTrouble(f"{path} is damaged or cannot be read.") from trouble
        if length != listed.size or seen.hexdigest() != listed.sha256:
            raise BundleTrouble(f"{path} is not what the manifest says: it was changed or damaged.")

    def rows(self, path: str) -> list[dict[str, Any]]:
        try:
            found = json.loads(self.body(path), parse_constant=_no_number)
        except BundleTrouble:
            raise
        except (ValueError, RecursionError) as trouble:
            raise BundleTrouble(f"{path} is not JSON.") from trouble
        if not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
            raise BundleTrouble(f"{path} is not a list of rows.")
        return found


# What a zip or a disk says of bytes that it cannot give.
UNREADABLE = (OSError, zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError)


def _no_number(_said: str) -> Any:
    raise ValueError("not a number")


@contextmanager
def opened(place: Path) -> Iterator[Bundle]:
    """The export at this place, its manifest read and its list of files compared. Raises BundleTrouble."""
    if place.is_dir():
        yield _listed(Folder(place))
        return
    if not place.is_file():
        raise BundleTrouble(f"There is no folder or file {place.name}.")
    try:
        file = zipfile.ZipFile(place)
    except UNREADABLE as trouble:
        raise BundleTrouble(f"{place.name} is neither a folder nor a zip that opens.") from trouble
    with file:
        yield _listed(Zip(file))


def _listed(source: Source) -> Bundle:
    sizes = source.sizes()
    size = sizes.pop(MANIFEST, None)
    if size is None:
        raise BundleTrouble(f"There is no {MANIFEST}: this is no export of Waymark.")
    if size > LONGEST_MANIFEST:
        raise BundleTrouble(f"{MANIFEST} is longer than any that Waymark writes.")
    try:
        with source.open(MANIFEST) as stream:
            body = stream.read(LONGEST_MANIFEST)
        said = json.loads(body)
    except (*UNREADABLE, ValueError, RecursionError) as trouble:
        raise BundleTrouble(f"{MANIFEST} cannot be read.") from trouble
    _is_ours(said)
    files = dict(_entries(said["files"]))
    if len(files) != len(said["files"]):
        raise BundleTrouble(f"{MANIFEST} lists a file twice.")
    _compare(sizes, files)
    bundle = Bundle(source, said, hashlib.sha256(body).hexdigest(), files)
    bundle.parts = _parts(said["rows"], files)
    return bundle


def _is_ours(said: Any) -> None:
    if not isinstance(said, dict) or said.get("format") != FORMAT:
        raise BundleTrouble("This is no export of Waymark.")
    if type(said.get("version")) is not int or said["version"] > VERSION:
        raise BundleTrouble("This was written by a newer Waymark: install that first.")
    if said.get("of") != "practice":
        raise BundleTrouble("This is the copy of one client's record. Only the copy of a whole practice is taken in.")
    rows = said.get("rows")
    right = isinstance(rows, dict) and all(type(n) is int and n >= 0 for n in rows.values())
    if not right or not all(isinstance(said.get(part), list) for part in ("files", "left_out")):
        raise BundleTrouble(f"{MANIFEST} does not say what it should.")


def _entries(listed: list[Any]) -> Iterator[tuple[str, Listed]]:
    for entry in listed:
        path, size, sha256 = (entry.get(k) if isinstance(entry, dict) else None for k in ("path", "bytes", "sha256"))
        if not isinstance(path, str) or not PATHS.fullmatch(path):
            raise BundleTrouble(f"{MANIFEST} names a file that no export of Waymark has.")
        if type(size) is not int or size < 0 or not isinstance(sha256, str) or not SHA256.fullmatch(sha256):
            raise BundleTrouble(f"{MANIFEST} has no length or digest for {path}.")
        if size > LARGEST:
            raise BundleTrouble(f"{path} is larger than any file that Waymark writes.")
        yield path, Listed(size, sha256)


def _compare(there: dict[str, int], listed: dict[str, Listed]) -> None:
    if missing := sorted(listed.keys() - there.keys()):
        raise BundleTrouble(f"{missing[0]} is missing; {len(missing)} of {len(listed)} files are.")
    if more := sorted(there.keys() - listed.keys()):
        raise BundleTrouble(f"There is a file that the manifest does not list: {more[0]!r}.")
    for path, size in there.items():
        if size != listed[path].size:
            raise BundleTrouble(f"{path} is not as long as the manifest says.")


def _parts(tables: dict[str, int], files: dict[str, Listed]) -> dict[str, list[str]]:
    """The parts of each table, which are numbered from 1 without a gap."""
    numbered: dict[str, dict[int, str]] = {table: {} for table in tables}
    for path in files:
        if found := PART.fullmatch(path):
            if found[1] not in tables:
                raise BundleTrouble(f"{path} belongs to no table of the manifest.")
            numbered[found[1]][int(found[2])] = path
    for table, parts in numbered.items():
        if sorted(parts) != list(range(1, len(parts) + 1)):
            raise BundleTrouble(f"A part of the table {table} is missing.")
    return {table: [parts[n] for n in sorted(parts)] for table, parts in numbered.items()}


def prove(bundle: Bundle) -> None:
    """Read every file once and compare it and the number of rows with the manifest. Raises BundleTrouble."""
    parts = {path for paths in bundle.parts.values() for path in paths}
    for path in bundle.files.keys() - parts:
        for _chunk in bundle.read(path):
            pass
    for table, paths in bundle.parts.items():
        found = sum(len(bundle.rows(path)) for path in paths)
        said = bundle.manifest["rows"][table]
        if found != said:
            raise BundleTrouble(f"The manifest says {said} rows of {table}, there are {found}.")
