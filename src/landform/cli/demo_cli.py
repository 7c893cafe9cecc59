"""The terraform or tofu CLI, as a person would run it on this machine."""

import os
import shlex
import shutil
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from landform.kit.errors import UnavailableError
from landform.kit.minded import MindedProgram

INTERRUPTED: Final = 128 + signal.SIGINT
_INHERITED: Final = ("PATH", "HOME", "TERM", "TMPDIR", "LANG", "LC_ALL", "NO_COLOR")
_STOP: Final = [(int(signal.SIGINT), 5.0), (int(signal.SIGKILL), 5.0)]


@dataclass(frozen=True)
class Cli:
    """One working directory, and how the CLI finds the platform from it.

    Attributes:
        config: the CLI's configuration file.
        hostname: what is left out of the configuration's `cloud` block.
    """

    program: Path
    directory: Path
    config: Path
    hostname: str

    @property
    def shell_environment(self) -> str:
        """What to export in a shell to run the CLI there by hand."""
        return shlex.join(f"{name}={value}" for name, value in self._platform.items())

    async def run(self, arguments: Sequence[str]) -> None:
        """Run the CLI with its output on ours; it ends when this process does, however that ends.

        Raises:
            UnavailableError: it failed; it has said why.
        """
        words = shlex.join([self.program.name, *arguments])
        print(f"\n$ {words}", flush=True)
        plain = [] if sys.stdout.isatty() and "NO_COLOR" not in os.environ else ["-no-color"]
        running = MindedProgram(
            [*self._environment(), str(self.program), *arguments, *plain],
            cwd=self.directory,
            output=sys.stdout.fileno(),
            stop=_STOP,
        )
        try:
            status = await running.wait()
        finally:
            await running.end()
        if status != 0:
            raise UnavailableError(f"`{words}` ended with status {status}.")

    @property
    def _platform(self) -> dict[str, str]:
        return {"TF_CLI_CONFIG_FILE": str(self.config), "TF_CLOUD_HOSTNAME": self.hostname}

    def _environment(self) -> list[str]:
        """Return the words that run a program with what it needs of our environment, and no more.

        They can be seen by everybody on this machine, so nothing secret may be among them.
        """
        kept = {name: os.environ[name] for name in _INHERITED if name in os.environ}
        wanted = {**kept, **self._platform, "TF_INPUT": "0", "CHECKPOINT_DISABLE": "1"}
        env = shutil.which("env") or "/usr/bin/env"
        return [env, "-i", *(f"{name}={value}" for name, value in wanted.items())]
