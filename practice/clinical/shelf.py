"""A shelf of frozen files named `<key>.<version>.toml`: one text or instrument in one version, never edited."""

from functools import cached_property
from pathlib import Path


class Shelf:
    def __init__(self, folder: Path, what: str) -> None:
        """`what` names a file of this shelf in an error: "instrument"."""
        self.folder, self.what = folder, what

    @cached_property
    def paths(self) -> dict[str, dict[str, Path]]:
        """Paths by key and version."""
        found: dict[str, dict[str, Path]] = {}
        for path in sorted(self.folder.glob("*.toml")):
            key, version = path.stem.rsplit(".", 1)
            found.setdefault(key, {})[version] = path
        return found

    def path(self, key: str, version: str | None = None) -> Path:
        """Return the file of this version, or of the newest. Raises ValueError when there is none such."""
        versions = self.paths.get(key)
        if not versions:
            raise ValueError(f"There is no {self.what} called {key!r}.")
        wanted = max(versions, key=int) if version is None else version
        if wanted not in versions:
            raise ValueError(f"There is no version {version!r} of the {self.what} {key!r}.")
        return versions[wanted]
