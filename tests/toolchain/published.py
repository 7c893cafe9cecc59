"""A mirror on loopback whose releases are signed with a key made for the test."""

import hashlib
import io
import json
import stat
import threading
import zipfile
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from pysequoia import SignatureMode, Tsk, sign

from landform.toolchain.places import platform
from landform.toolchain.versions import Tool


def script(tool: Tool, version: str) -> bytes:
    """What poses as the tool: it answers every call as `version` would be answered."""
    return f'#!/bin/sh\necho "{tool.product} v{version}"\necho "on {platform()}"\n'.encode()


def zipped(members: dict[str, bytes], *, link: str = "") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            kind = stat.S_IFLNK if name == link else stat.S_IFREG
            info.external_attr = (kind | 0o755) << 16
            archive.writestr(info, content)
    return buffer.getvalue()


class Signer:
    def __init__(self) -> None:
        self._key = Tsk.generate(user_id="Test releases <releases@example.org>")

    @property
    def public(self) -> bytes:
        return str(self._key.extract_certificate()).encode()

    @property
    def fingerprint(self) -> str:
        return self._key.extract_certificate().fingerprint

    def sign(self, data: bytes) -> bytes:
        return sign(self._key.signer(), data, mode=SignatureMode.DETACHED, armor=False)


Answer = Callable[[BaseHTTPRequestHandler, bytes], None]


class Published:
    """Files by path, and what was asked of them.

    Attributes:
        answers: by path, what to do instead of sending the file.
        released: set when a stalled answer may end.
    """

    def __init__(self) -> None:
        self.signer = Signer()
        self.files: dict[str, bytes] = {}
        self.requests: list[str] = []
        self.answers: dict[str, Answer] = {}
        self.released = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def stop(self) -> None:
        self.released.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def folder(self, tool: Tool, version: str) -> str:
        return f"/terraform/{version}" if tool is Tool.TERRAFORM else f"/v{version}"

    def archive(self, tool: Tool, version: str) -> str:
        return f"{self.folder(tool, version)}/{tool}_{version}_{platform()}.zip"

    def sums(self, tool: Tool, version: str) -> str:
        return f"{self.folder(tool, version)}/{tool}_{version}_SHA256SUMS"

    def signature(self, tool: Tool, version: str) -> str:
        return self.sums(tool, version) + (".sig" if tool is Tool.TERRAFORM else ".gpgsig")

    def publish(self, tool: Tool, version: str, *, archive: bytes | None = None) -> None:
        """A release as its publisher would make it."""
        members = {"LICENSE.txt": b"free", tool.value: script(tool, version)}
        content = zipped(members) if archive is None else archive
        path = self.archive(tool, version)
        self.files[path] = content
        name = path.rpartition("/")[2]
        sums = f"{hashlib.sha256(content).hexdigest()}  {name}\n{'0' * 64}  {name}.other\n"
        self.files[self.sums(tool, version)] = sums.encode()
        self.files[self.signature(tool, version)] = self.signer.sign(sums.encode())

    def list_versions(self, tool: Tool, versions: list[str]) -> None:
        """The index, in the form of its publisher."""
        if tool is Tool.TERRAFORM:
            listed: object = {version: {"name": "terraform"} for version in versions}
            self.files["/terraform/index.json"] = json.dumps({"versions": listed}).encode()
        else:
            listed = [{"id": version, "files": []} for version in versions]
            self.files["/api.json"] = json.dumps({"versions": listed}).encode()

    def cut(self, handler: BaseHTTPRequestHandler, content: bytes) -> None:
        """Promise all, send half, hang up."""
        self._begin(handler, content)
        handler.wfile.write(content[: len(content) // 2])

    def stall(self, handler: BaseHTTPRequestHandler, content: bytes) -> None:
        """Send half, and the rest when `released` is set."""
        self._begin(handler, content)
        handler.wfile.write(content[: len(content) // 2])
        handler.wfile.flush()
        self.released.wait()
        handler.wfile.write(content[len(content) // 2 :])

    @staticmethod
    def break_down(handler: BaseHTTPRequestHandler, _content: bytes) -> None:
        handler.send_response(503)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    @staticmethod
    def _begin(handler: BaseHTTPRequestHandler, content: bytes) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        published = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                published.requests.append(self.path)
                content = published.files.get(self.path)
                if content is None:
                    self.send_error(404)
                    return
                answer = published.answers.get(self.path, published._whole)
                try:
                    answer(self, content)
                except (BrokenPipeError, ConnectionResetError):
                    self.close_connection = True

            def log_message(self, *_: object) -> None:
                pass

        return Handler

    def _whole(self, handler: BaseHTTPRequestHandler, content: bytes) -> None:
        self._begin(handler, content)
        handler.wfile.write(content)
