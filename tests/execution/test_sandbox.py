"""What a run sees, what it may not change even where it is root, and a sandbox that fails."""

import asyncio
import shutil
import subprocess
from pathlib import Path

import pytest

from landform.contract import Outcome
from landform.execution.host import Host
from landform.execution.phase import run_phase
from landform.execution.sandbox import Mount, Sandbox, SandboxMode, detect

from .conftest import Configure, apply_job, plan_job
from .recorder import Recorder

_OPEN_EVERYTHING = r"""
echo looked
for f in /x /etc/x /dev/x /opt/x /usr/x $(find /proc/* -maxdepth 6 -path '/proc/[0-9]*' -prune -o \
    \( -path '/proc/self*' -o -path '/proc/thread-self*' \) -prune -o -type f -print); do
  # Opened and not written: if it could be, it would be this machine's.
  ( : >> "$f" ) 2>/dev/null && echo "$f"
done
: >> /dev/null && : >> /landform/mine && : >> /dev/shm/mine && echo all of its own
"""


@pytest.mark.skipif(shutil.which("bwrap") is None, reason="needs bubblewrap")
async def test_nothing_of_the_kernel_nor_of_the_system_can_be_opened_for_writing(
    tmp_path: Path,
) -> None:
    sandbox = await detect(SandboxMode.REQUIRE)
    (tmp_path / "shm").mkdir()
    mounts = [
        Mount(tmp_path / "shm", Path("/dev/shm"), writable=True),
        Mount(tmp_path, Path("/landform"), writable=True),
    ]
    argv = sandbox.wrap(
        ["bash", "-c", _OPEN_EVERYTHING], cwd="/landform", mounts=mounts, status_fd=2
    )
    ended = await asyncio.to_thread(
        subprocess.run, argv, capture_output=True, text=True, timeout=60, check=True
    )
    assert ended.stdout.splitlines() == ["looked", "all of its own"]


LOOK = r"""
resource "terraform_data" "x" {
  provisioner "local-exec" {
    command = <<-EOT
      echo begun
      echo "processes: $(ls /proc | grep -c '^[0-9]')"
      echo "root: $(ls -x / | tr -s ' \n' ' ')"
      echo "etc: $(ls /etc | tr '\n' ' ')"
      echo "home: $HOME $(ls -A $HOME)"
      echo "uses: $(df / | tail -1)"
      cat SECRET && echo LE''AK
      cat /proc/1/environ && echo
      grep CapEff /proc/self/status
      touch /usr/x /landform/out/mine /opt/landform/providers/x
      echo "tmp: $(ls -A /tmp)"
      id
    EOT
  }
}
"""


async def test_a_run_sees_nothing_of_the_machine_but_the_system(
    plane: Recorder, host: Host, configure: Configure, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("the server's own")
    other = host.phases / "other.1"
    other.mkdir(parents=True)
    configure(LOOK.replace("SECRET", f"{secret} {other} /etc/shadow"))
    await run_phase(plan_job(), plane, host=host)
    result = await run_phase(apply_job(), plane, host=host)
    text = plane.text(apply_job())
    assert result.outcome is Outcome.FINISHED, text
    assert "LEAK" not in text
    assert "the server's own" not in text
    assert "CapEff:\t0000000000000000" in text
    (processes,) = (line for line in text.splitlines() if "exec): processes: " in line)
    assert int(processes.split()[-1]) < 12
    (root,) = (line for line in text.splitlines() if "exec): root: " in line)
    roots = set(root.split("exec): root: ")[1].split())
    assert roots <= {
        *("bin", "dev", "etc", "landform", "lib", "lib32", "lib64", "libx32", "opt", "proc"),
        *("sbin", "tmp", "usr"),
    }
    assert "cannot touch '/usr/x'" in text
    assert "cannot touch '/opt/landform/providers/x'" in text
    assert "cannot touch '/landform/out/mine'" not in text
    seen = "\n".join(line for line in text.splitlines() if "Executing: " not in line)
    assert str(tmp_path) not in seen.replace(f"cat: {secret}", "").replace(f"cat: {other}", "")


async def test_a_sandbox_that_does_not_work_is_said_so(tmp_path: Path) -> None:
    broken = tmp_path / "bwrap"
    broken.write_text("#!/bin/sh\necho no namespaces here >&2\nexit 1\n")
    broken.chmod(0o755)
    found = await detect(SandboxMode.AUTO, program=str(broken))
    assert not found.confines
    assert found.reason == "no namespaces here"
    with pytest.raises(Exception, match="no namespaces here"):
        await detect(SandboxMode.REQUIRE, program=str(broken))
    missing = await detect(SandboxMode.AUTO, program="no-such-bwrap")
    assert "no program" in missing.reason


def test_the_fallback_still_ties_a_child_to_the_worker() -> None:
    wrapped = Sandbox(setpriv=("setpriv", "--pdeathsig", "KILL", "--")).wrap(
        ["terraform"], cwd="/", mounts=[], status_fd=-1
    )
    assert wrapped == ["setpriv", "--pdeathsig", "KILL", "--", "terraform"]
