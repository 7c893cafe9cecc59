"""Which engine to use on a machine we know nothing of, as the demo does."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from landform.kit.errors import LandformError, UnavailableError
from landform.toolchain.toolchain import Toolchain
from landform.toolchain.versions import LATEST, Tool, Version

# The `cloud` block is of Terraform 1.1; every OpenTofu has it.
OLDEST: Final = Version((1, 1, 0))


@dataclass(frozen=True)
class Engine:
    """A tool that is ready to run."""

    tool: Tool
    version: str
    path: Path


async def choose_engine(toolchain: Toolchain) -> Engine:
    """Take terraform or tofu from PATH, else OpenTofu: at hand, or downloaded and verified.

    Raises:
        UnavailableError: there is none; the message says why and what to install.
    """
    too_old = ""
    for tool in Tool:
        found = await toolchain.on_path(tool)
        if found and found.version >= OLDEST:
            return Engine(tool, str(found.version), found.path)
        if found:
            too_old = f" ({found.path} is {found.version}, older than {OLDEST})"
    try:
        version = await toolchain.resolve(Tool.TOFU, LATEST)
        return Engine(Tool.TOFU, version, await toolchain.ensure(Tool.TOFU, version))
    except LandformError as failure:
        raise UnavailableError(
            f"Neither terraform nor tofu is on PATH{too_old}, and OpenTofu could not be had: "
            f"{failure} Install one of them and try again: OpenTofu from "
            "https://opentofu.org/docs/intro/install/ or Terraform "
            f"{OLDEST} or newer from https://developer.hashicorp.com/terraform/install; or set "
            "LANDFORM_TOFU_MIRROR to a mirror that this machine can reach."
        ) from failure
