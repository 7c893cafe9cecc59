"""What a server process holds for all its requests."""

import asyncio
from dataclasses import dataclass, field

from landform.audit.denials import Denials
from landform.audit.service import Upkeep
from landform.edge.allowances import Allowances
from landform.edge.signed_urls import UrlSigner
from landform.federation.departure import Reach as Federation
from landform.kit.notify import Listener
from landform.logs.sharing import SharedReads
from landform.notifications.mail import MailServer
from landform.notifications.post import Post
from landform.runs.attempts import Platform
from landform.toolchain.versions import Tool
from landform.vcs.reach import Reach


@dataclass(frozen=True)
class Process:
    """Made once by a composition root, found at `request.app.state.process`.

    Attributes:
        federation: the way to identity providers.
        public_url: without a trailing slash; empty: what each request says.
        max_configuration_bytes: largest upload of a configuration.
        max_state_bytes: largest upload of a state.
        upkeep: what an operator wants done about the audit trail.
        denials: what this process told lately of attempts at what may not be.
        sweep_s: seconds between two looks for phases whose worker is gone.
        default_tool: for workspaces that do not say.
        log_reads: what readers of the same log share.
        allowances: how often clients of the API may ask.
        page_readings: how many pages are read at once for those who follow them, so that many who
            look leave room for who acts.
        mail: where notifications by mail are handed in; None: none are sent.
    """

    platform: Platform
    reach: Reach
    federation: Federation
    listener: Listener
    signer: UrlSigner
    public_url: str
    max_configuration_bytes: int
    max_state_bytes: int
    sweep_s: float = 2.0
    upkeep: Upkeep = field(default_factory=Upkeep)
    denials: Denials = field(default_factory=Denials)
    default_tool: Tool = Tool.TERRAFORM
    log_reads: SharedReads = field(default_factory=SharedReads)
    allowances: Allowances = field(default_factory=lambda: Allowances(0))
    page_readings: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(4))
    mail: MailServer | None = None

    @property
    def post(self) -> Post:
        """What telling of runs needs."""
        platform, http = self.platform, self.reach.services.http
        return Post(platform.sessions, platform.keyring, http, self.mail, self.public_url)
