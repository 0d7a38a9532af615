"""The authority's book: what was issued and what was revoked. One file, written whole or not at all."""

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

FILE = "index.json"


@dataclass(slots=True)
class Entry:
    """One certificate; instants are ISO 8601."""

    label: str
    not_after: str
    revoked_at: str | None = None
    reason: str | None = None
    invalid_since: str | None = None


@dataclass(slots=True)
class Book:
    """Every certificate by serial, and the number of the last revocation list."""

    url: str = ""
    list_number: int = 0
    issued: dict[str, Entry] = field(default_factory=dict)

    @property
    def labels(self) -> set[str]:
        return {entry.label for entry in self.issued.values()}

    @classmethod
    def read(cls, folder: Path) -> "Book":
        """Return the book of `folder`; an empty one when there is none yet."""
        if not (folder / FILE).exists():
            return cls()
        told = json.loads((folder / FILE).read_text())
        issued = {serial: Entry(**entry) for serial, entry in told["issued"].items()}
        return cls(told["url"], told["list_number"], issued)

    def write(self, folder: Path) -> None:
        replace(folder / FILE, json.dumps(asdict(self), ensure_ascii=False, indent=1).encode())


@contextmanager
def opened(folder: Path) -> Iterator[Book]:
    """The book, for one writer at a time; it is written when the work ends well."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        book = Book.read(folder)
        yield book
        book.write(folder)


def replace(path: Path, content: bytes) -> None:
    """Write a file so that a reader sees the old or the new one, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    staged = path.with_name(f".{path.name}.staged")
    staged.write_bytes(content)
    staged.replace(path)
