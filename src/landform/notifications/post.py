"""What telling needs of a process: made once by a composition root."""

from dataclasses import dataclass

from landform.kit.crypto import Keyring
from landform.kit.db import Sessions
from landform.kit.egress import Outbound
from landform.kit.errors import InvalidError
from landform.notifications.mail import MailServer

_NO_MAIL = (
    "This platform sends no mail: its operator has to set LANDFORM_SMTP_URL and LANDFORM_MAIL_FROM."
)


@dataclass(frozen=True)
class Post:
    """Sessions, the key, and the ways out.

    Attributes:
        mail: None where the operator named no server.
        public_url: how people reach us, without a trailing slash; empty: not known.
    """

    sessions: Sessions
    keyring: Keyring
    http: Outbound
    mail: MailServer | None = None
    public_url: str = ""

    def require_mail(self) -> MailServer:
        """Return where mail is handed in.

        Raises:
            InvalidError: the operator named none.
        """
        if self.mail is None:
            raise InvalidError(_NO_MAIL, pointer="destination_type")
        return self.mail
