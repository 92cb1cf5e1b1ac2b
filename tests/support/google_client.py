"""A simulator in a thread, and Google's own client to speak to it with."""

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import google.oauth2.credentials
import google.oauth2.service_account
from google.auth.credentials import Credentials
from googleapiclient.discovery import build, build_from_document
from googleapiclient.errors import HttpError

from drive_simulator.auth.oauth import DRIVE
from drive_simulator.model.world import World
from drive_simulator.server.server import Simulator
from support.discovery import document
from support.observer import DiscoveryObserver
from support.simulators import serving_in_thread

CLIENT_ID = "a-client"
CLIENT_SECRET = "a-secret"


@dataclass
class Site:
    """A running simulator, and a client for each user."""

    simulator: Simulator
    observer: DiscoveryObserver
    alice: str
    bob: str
    _clients: dict[str, Any] = field(default_factory=dict)

    def drive(self, user: str) -> Any:
        """Google's client for a user, made once: it refreshes an access token by the refresh-token grant."""
        if user not in self._clients:
            self._clients[user] = self.build(self.credentials(user))
        return self._clients[user]

    def build(self, credentials: Credentials) -> Any:
        """Google's client with any credentials; the caller closes it.

        It takes the addresses of uploads and batches from the discovery document alone, whatever endpoint it is told
        of; so the document is given to it with the simulator's address.
        """
        here = document() | {"rootUrl": self.simulator.origin + "/", "baseUrl": self.simulator.base_url + "/"}
        return build_from_document(here, credentials=credentials)

    def build_by_endpoint(self, credentials: Credentials) -> Any:
        """Google's client in the way that most programs make it: good for all but uploads and batches."""
        options = {"api_endpoint": self.simulator.base_url + "/"}
        return build("drive", "v3", credentials=credentials, static_discovery=True, client_options=options)

    def credentials(self, user: str, scopes: tuple[str, ...] = (DRIVE,)) -> google.oauth2.credentials.Credentials:
        """A user's credentials: a refresh token and no access token yet."""
        self.simulator.tokens.add_client(CLIENT_ID, CLIENT_SECRET)
        return google.oauth2.credentials.Credentials(  # type: ignore[no-untyped-call]
            token=None,
            refresh_token=self.simulator.tokens.grant(user, CLIENT_ID, scopes),
            token_uri=self.simulator.token_uri,
            client_id=CLIENT_ID,
            client_secret=CLIENT_SECRET,
        )

    def service_account(self, subject: str | None) -> google.oauth2.service_account.Credentials:
        """The service account's credentials, speaking for `subject` or for itself."""
        info = self.simulator.accounts["conn_service_account"].service_account
        made = google.oauth2.service_account.Credentials.from_service_account_info(  # type: ignore[no-untyped-call]
            info, scopes=[DRIVE], subject=subject
        )
        assert isinstance(made, google.oauth2.service_account.Credentials)
        return made

    def get(self, path: str, user: str) -> tuple[int, dict[str, Any]]:
        """Status and JSON of a plain GET, for what Google's client does not let one send."""
        headers = {"Authorization": f"Bearer {self.simulator.access_token(user)}"}
        with self.observer.refusing():
            try:
                with urlopen(Request(self.simulator.origin + path, headers=headers)) as answer:  # noqa: S310
                    return answer.status, json.load(answer)
            except HTTPError as error:
                with error:
                    return error.code, json.load(error)

    def close(self) -> None:
        """Close every client's connections."""
        for client in self._clients.values():
            client.close()


@contextmanager
def site_of(world: World) -> Iterator[Site]:
    """A simulator over that world, served and watched while the block runs."""
    alice, bob = "alice@example.com", "bob@example.com"
    for email in (alice, bob):
        if email not in world.users:
            world.add_user(email)
    with serving_in_thread(world) as (simulator, observer), closing(Site(simulator, observer, alice, bob)) as site:
        yield site


def reasons(error: HttpError) -> list[str]:
    """Google's reasons in an error of its client."""
    return [detail["reason"] for detail in error.error_details]
