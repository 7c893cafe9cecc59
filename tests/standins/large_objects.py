"""Git LFS: the batch API and basic transfers, as the documents of git-lfs have them."""

import hashlib
import re
from typing import Any, Final

from tests.standins.serving import Answer, Request, Server, json_answer

_TYPE: Final = "application/vnd.git-lfs+json"
_OID: Final = re.compile(r"[0-9a-f]{64}")
_SIGNED: Final = "signed=deadbeef"


def pointer_to(content: bytes) -> str:
    """Return what git keeps instead of a large file."""
    oid = hashlib.sha256(content).hexdigest()
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize {len(content)}\n"


class LargeObjects:
    """The large files of one repository.

    Attributes:
        store: another server that keeps them, at addresses that are signed; without one they are
            below the repository, for whoever may read it.
    """

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.store: Server | None = None

    def add(self, content: bytes) -> str:
        """Keep a file; return its pointer."""
        self.objects[hashlib.sha256(content).hexdigest()] = content
        return pointer_to(content)

    def keep_elsewhere(self) -> Server:
        self.store = Server(self._serve_signed)
        return self.store

    def answer(self, request: Request, path: tuple[str, ...], base: str) -> Answer:
        """Answer below `info/lfs`; who may not read the repository does not get here."""
        if path == ("objects", "batch") and request.method == "POST":
            return self._batch(request, base)
        if len(path) == 2 and path[0] == "objects" and path[1] in self.objects:
            return Answer(200, self.objects[path[1]])
        return Answer(404)

    def _batch(self, request: Request, base: str) -> Answer:
        said = request.json()
        if _TYPE not in request.headers.get("accept", "") or said["operation"] != "download":
            return _lfs({"message": "Not acceptable"}, 406)
        rows = [self._row(each, base) for each in said["objects"]]
        return _lfs({"transfer": "basic", "objects": rows, "hash_algo": "sha256"}, 200)

    def _row(self, wanted: dict[str, Any], base: str) -> dict[str, Any]:
        oid = wanted["oid"]
        row: dict[str, Any] = {"oid": oid, "size": wanted["size"]}
        if not _OID.fullmatch(oid) or len(self.objects.get(oid, b"")) != wanted["size"]:
            return row | {"error": {"code": 404, "message": "Object does not exist"}}
        if self.store is None:
            return row | {"actions": {"download": {"href": f"{base}/objects/{oid}"}}}
        download = {
            "href": f"{self.store.url}/{oid}?{_SIGNED}",
            "header": {"X-Store": "1"},
            "expires_in": 600,
        }
        return row | {"authenticated": True, "actions": {"download": download}}

    def _serve_signed(self, request: Request) -> Answer:
        oid = request.path.strip("/")
        if _SIGNED not in request.target or request.headers.get("x-store") != "1":
            return Answer(403)
        return Answer(200, self.objects[oid]) if oid in self.objects else Answer(404)


def _lfs(value: Any, status: int) -> Answer:
    answer = json_answer(value, status)
    return Answer(status, answer.body, {"Content-Type": _TYPE})
