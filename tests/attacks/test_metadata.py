"""A1: a run that asks the cloud's metadata address for the machine's own credentials."""

import http.server
import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from landform.kit.early import SUPERVISOR_VARIABLE
from tests.attacks.client import Client
from tests.cli.command import environment, landform_command
from tests.faults.configurations import pack
from tests.faults.platform import Platform
from tests.networks import having, needs_networks

_ADDRESS = "169.254.169.254"
_LOOK = """
resource "terraform_data" "look" {
  provisioner "local-exec" {
    interpreter = ["/bin/bash", "-c"]
    command     = <<-EOT
      exec 3<>/dev/tcp/169.254.169.254/80 && printf 'GET /latest HTTP/1.0\\r\\n\\r\\n' >&3
      timeout 10 cat <&3 || echo "nothing there"
    EOT
  }
}
"""


@contextmanager
def metadata(secret: str) -> Iterator[None]:
    """Have this machine's metadata address tell everybody `secret`, as a cloud's does."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(secret.encode() + b"\n")

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with having(_ADDRESS), http.server.ThreadingHTTPServer((_ADDRESS, 80), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield
        server.shutdown()
        thread.join(5)


def loot(client: Client, make_workspace: Callable[..., str]) -> str:
    """Return what an apply says that looks."""
    workspace = make_workspace()
    upload = client.upload(workspace, pack({"main.tf": _LOOK}))
    run = client.start(workspace, upload, **{"auto-apply": True})
    client.wait(run, "applied")
    return client.text_log_of(run, "apply").decode()


@needs_networks
def test_a_run_with_a_network_of_its_own_does_not_reach_the_metadata_address(
    platform: Platform,
    client: Client,
    make_workspace: Callable[..., str],
    canary: Callable[[], str],
) -> None:
    secret = canary()
    with metadata(secret):
        assert secret in loot(client, make_workspace)  # it is there, and a shared network has it
        with platform.workers_with(LANDFORM_SANDBOX_NETWORK="own"):
            said = loot(client, make_workspace)
    platform.restore()
    assert secret not in said
    assert "Permission denied" in said
    assert "nothing there" in said


def test_a_worker_that_must_give_each_run_a_network_and_cannot_does_not_start(
    platform: Platform,
) -> None:
    ended = subprocess.run(
        landform_command("worker"),
        env=environment(
            LANDFORM_HOME=str(platform.home),
            LANDFORM_DATABASE_URL=platform.database_url,
            LANDFORM_SANDBOX="off",
            LANDFORM_SANDBOX_NETWORK="own",
            **{SUPERVISOR_VARIABLE: str(os.getpid())},
        ),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 1
    assert "Runs are to have networks of their own" in ended.stderr
    assert "worker ready" not in ended.stderr
