"""A server that speaks git and nothing else: a real sshd, and `git http-backend` behind TLS.

Over SSH every user gets `git-shell`, which runs what git asks for and nothing else; over HTTPS a
user and password is asked for first, as web servers do it.
"""

import base64
import getpass
import ipaddress
import os
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from tests.networks import Port
from tests.standins.repositories import GitRepository, serve
from tests.standins.serving import Answer, Request, Server

_READY_S: Final = 60.0


class GitServer:
    """One server.

    Attributes:
        root: the directory its repositories are in; over SSH part of their addresses.
        user: who signs in by SSH: whoever runs the tests, as sshd serves only real users.
        passwords: who may sign in over HTTPS.
        authority: a file with the certificate that HTTPS is to be trusted by.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.root = directory / "repositories"
        self.root.mkdir(parents=True)
        self.user = getpass.getuser()
        self.passwords: dict[str, str] = {}
        self.authority = directory / "authority.pem"
        self.server = Server(self._serve, tls=_tls(self.authority))
        self._sshd: subprocess.Popen[bytes] | None = None
        self._kept: Port | None = None

    @property
    def port(self) -> int:
        """Where it serves SSH; 0 before it first did."""
        return self._kept.number if self._kept else 0

    @property
    def ssh_url(self) -> str:
        return f"ssh://127.0.0.1:{self.port}{self.root}"

    @property
    def https_url(self) -> str:
        return self.server.url

    def repository(self, path: str) -> GitRepository:
        return GitRepository(self.root / path)

    def authorize(self, public_key: str) -> None:
        """Let whoever has the private half in."""
        with (self.directory / "authorized_keys").open("a") as file:
            file.write(f"{public_key}\n")

    def host_key(self, kind: str = "ed25519") -> str:
        """Return the line of a known_hosts file for this server."""
        public = (self.directory / f"host_{kind}.pub").read_text().split()
        return f"[127.0.0.1]:{self.port} {public[0]} {public[1]}"

    def fingerprint(self, kind: str = "ed25519") -> str:
        """Return what `ssh-keygen -l` says of a host key."""
        words = ["ssh-keygen", "-l", "-f", str(self.directory / f"host_{kind}.pub")]
        return subprocess.run(words, capture_output=True, text=True, check=True).stdout.split()[1]

    def make_host_keys(self) -> None:
        """Make the keys the server shows; again, as if it had been set up anew."""
        for kind in ("ed25519", "ecdsa"):
            path = self.directory / f"host_{kind}"
            path.unlink(missing_ok=True)
            words = ["ssh-keygen", "-q", "-t", kind, "-N", "", "-f", str(path)]
            subprocess.run(words, check=True)

    def start(self) -> None:
        """Serve SSH on the port of before, or a free one."""
        program = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
        assert program, "these tests need sshd: apt-get install openssh-server"
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)  # where sshd gives its rights up
        self._kept = self._kept or Port()
        config = self.directory / "sshd_config"
        config.write_text(self._config())
        log = (self.directory / "sshd.log").open("ab")
        with log:
            self._sshd = subprocess.Popen(
                [program, "-D", "-e", "-f", str(config)], stderr=log, stdin=subprocess.DEVNULL
            )
        self._wait()

    def stop(self) -> None:
        if self._sshd is not None:
            self._sshd.terminate()
            self._sshd.wait(30)

    def close(self) -> None:
        self.stop()
        if self._kept is not None:
            self._kept.close()
        self.server.close()

    def _config(self) -> str:
        shell = self.directory / "shell"
        shell.write_text('#!/bin/sh\nexec git-shell -c "$SSH_ORIGINAL_COMMAND"\n')
        shell.chmod(0o755)
        keys = [f"HostKey {self.directory / f'host_{kind}'}" for kind in ("ed25519", "ecdsa")]
        lines = [
            f"Port {self.port}",
            "ListenAddress 127.0.0.1",
            *keys,
            f"AuthorizedKeysFile {self.directory / 'authorized_keys'}",
            f"ForceCommand {shell}",
            *("PasswordAuthentication no", "KbdInteractiveAuthentication no", "UsePAM no"),
            *("StrictModes no", "PidFile none", "PermitRootLogin prohibit-password"),
        ]
        return "\n".join(lines) + "\n"

    def _wait(self) -> None:
        deadline = time.monotonic() + _READY_S
        while time.monotonic() < deadline:
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=1) as peer:
                    if peer.recv(4) == b"SSH-":
                        return
            except OSError:
                time.sleep(0.02)
        raise AssertionError((self.directory / "sshd.log").read_text())

    def _serve(self, request: Request) -> Answer:
        kind, _, value = request.headers.get("authorization", "").partition(" ")
        user, _, password = (
            base64.b64decode(value).decode().partition(":") if value else ("", "", "")
        )
        if kind != "Basic" or self.passwords.get(user) != password:
            return Answer(401, b"", {"WWW-Authenticate": 'Basic realm="git"'})
        for end in ("/info/refs", "/git-upload-pack"):
            if request.path.endswith(end):
                place = self.root / "/".join(request.segments).removesuffix(end)
                if (place / "HEAD").is_file():
                    return serve(place, request, end.lstrip("/"), user)
        return Answer(404, b"Not found")


def _tls(authority: Path) -> ssl.SSLContext:
    """Return a context of a certificate for loopback that signed itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "loopback")])
    moment = datetime.now(UTC)
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(moment - timedelta(hours=1))
        .not_valid_after(moment + timedelta(days=1))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    authority.write_bytes(certificate.public_bytes(Encoding.PEM))
    both = authority.with_name("server.pem")
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    both.write_bytes(private + authority.read_bytes())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(both)
    return context


@contextmanager
def git_server(directory: Path) -> Iterator[GitServer]:
    """Serve one for as long as the context lasts."""
    service = GitServer(directory)
    try:
        service.make_host_keys()
        service.start()
        yield service
    finally:
        service.close()
