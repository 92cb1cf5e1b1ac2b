"""Service accounts: the key file that Google hands out, and the public half that checks its signatures."""

import hashlib
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

DEFAULT_EMAIL = "worker@drive-simulator.iam.gserviceaccount.com"


@dataclass(frozen=True, slots=True)
class ServiceAccount:
    """A service account. With `domain_wide_delegation` it may speak for every user (`sub`)."""

    email: str
    key: rsa.RSAPrivateKey
    token_uri: str
    domain_wide_delegation: bool = True

    @property
    def public_key(self) -> rsa.RSAPublicKey:
        """What the token endpoint checks signatures with."""
        return self.key.public_key()

    def info(self) -> dict[str, str]:
        """The JSON key file, as google-auth's `Credentials.from_service_account_info` takes it. It is a secret."""
        pem = self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        digest = hashlib.sha256(self.email.encode()).hexdigest()
        return {
            "type": "service_account",
            "project_id": self.email.partition("@")[2].partition(".")[0],
            "private_key_id": digest[:40],
            "private_key": pem,
            "client_email": self.email,
            "client_id": str(int(digest[:16], 16)),
            "token_uri": self.token_uri,
        }


def new_service_account(
    token_uri: str, *, email: str = DEFAULT_EMAIL, domain_wide_delegation: bool = True
) -> ServiceAccount:
    """An account with a fresh 2,048-bit key; making one takes about a tenth of a second."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return ServiceAccount(email, key, token_uri, domain_wide_delegation)
