"""Settings, read once from the environment in a composition root and passed down as values."""

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Every setting is an environment variable `LANDFORM_…`.

    Attributes:
        home: what `landform up` keeps: database, objects, key, caches, work directories.
        database_url: `postgresql://…`; empty means the embedded server in `home`.
        storage_url: `file://…`, `s3://bucket/prefix`, `az://…`, `gs://…`; empty: in `home`.
        public_url: how clients reach the server; empty: what each request says.
        encryption_key: 64 hexadecimal digits, and older keys after them; else what the command
            prints; else what is in the file; else in `home`/encryption.key.
        lease_s: seconds after which a silent worker's phase is taken from it.
        sandbox: `require` refuses to run without bubblewrap; `off` never uses it.
        sandbox_network: `own` gives each run a network of its own, without this machine's loopback
            address and the clouds' metadata; or it refuses to run.
        sandbox_network_closed: what such a run cannot reach besides: IPv4 networks between commas.
        url: where `landform agent` reaches the platform.
        agent_token: an agent pool's, with which `landform agent` joins the pool.
        agent_token_file: the file that holds it; read again when the platform does not take it.
        agent_name: what the agent is called in its pool; empty: the host's name.
        worker_slots: phases one worker, or one agent, runs at a time.
        worker_nice: how much a worker and its runs give way to other processes, as `nice` counts;
            `landform up` has 5, so that who waits for an answer is served before what runs.
        api_requests_per_second: how many each token, and each address without one, may make of
            each server; 0 for no limit.
        audit_retention_days: events older than that are deleted; 0 keeps all.
        audit_syslog: `tcp://HOST:PORT` or `udp://HOST:PORT`, to which events are forwarded.
        audit_webhook: an address to which events are posted, as JSON lines.
        audit_webhook_token: sent with them, as a bearer token.
        toolchain_dir: where an operator keeps terraform and tofu binaries.
        toolchain_offline: never download.
        provider_mirror: a directory laid out as terraform's filesystem mirrors.
        egress_allow: what beside the public network users may have the platform call:
            networks and host names, with or without a port, between commas.
        vcs_poll_s: seconds between two looks at a repository that no webhook tells of.
        vcs_hook_secret_days: after which a webhook gets a new secret; 0 for never by itself.
        smtp_url: where notifications by mail are handed in: `smtp://` or `smtps://`, with user and
            password where the server asks for them.
        mail_from: the address that such mail is from.
        entra_url: where Microsoft Entra is; another for national clouds.
        imds_url: where a machine of Azure gets its managed identity's tokens.
    """

    model_config = SettingsConfigDict(env_prefix="LANDFORM_", extra="ignore")

    home: Path = Field(default_factory=lambda: Path.home() / ".landform")
    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=0, le=65535)
    database_url: SecretStr = SecretStr("")
    storage_url: str = ""
    storage_endpoint: str = ""
    public_url: str = ""
    encryption_key: SecretStr = SecretStr("")
    encryption_key_file: Path | None = None
    encryption_key_command: str = ""
    log_format: Literal["text", "json"] = "text"
    log_level: str = "INFO"
    lease_s: float = Field(default=10.0, ge=1.0, le=600.0)
    sweep_s: float = Field(default=2.0, ge=0.1, le=60.0)
    url: str = ""
    agent_token: SecretStr = SecretStr("")
    agent_token_file: Path | None = None
    agent_name: str = Field(default="", max_length=100)
    worker_slots: int = Field(default=4, ge=1, le=256)
    worker_nice: int = Field(default=0, ge=0, le=19)
    worker_port: int = Field(default=0, ge=0, le=65535)
    sandbox: Literal["auto", "require", "off"] = "auto"
    sandbox_network: Literal["shared", "own"] = "shared"
    sandbox_network_closed: str = ""
    phase_timeout_s: float = Field(default=7200.0, ge=1.0)
    cancel_grace_s: float = Field(default=30.0, ge=0.0)
    memory_limit_mb: int = Field(default=4096, ge=128)
    disk_limit_mb: int = Field(default=4096, ge=16)
    max_configuration_mb: int = Field(default=100, ge=1)
    max_state_mb: int = Field(default=200, ge=1)
    api_requests_per_second: int = Field(default=30, ge=0)
    audit_retention_days: int = Field(default=0, ge=0)
    audit_syslog: str = ""
    audit_webhook: str = ""
    audit_webhook_token: SecretStr = SecretStr("")
    toolchain_dir: Path | None = None
    toolchain_offline: bool = False
    terraform_mirror: str = ""
    tofu_mirror: str = ""
    provider_mirror: Path | None = None
    egress_allow: str = ""
    vcs_poll_s: float = Field(default=30.0, ge=1.0, le=86400.0)
    vcs_hook_secret_days: int = Field(default=90, ge=0, le=3650)
    smtp_url: SecretStr = SecretStr("")
    mail_from: str = ""
    entra_url: str = "https://login.microsoftonline.com"
    imds_url: str = "http://169.254.169.254"
