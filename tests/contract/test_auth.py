"""Credentials of google-auth against the token endpoint: users, service accounts, refusals, scopes."""

from contextlib import closing

import pytest
from google.auth.exceptions import RefreshError
from googleapiclient.errors import HttpError

from drive_simulator.auth.oauth import DRIVE_METADATA_READONLY
from drive_simulator.faults.plan import Effect, Match, Rule
from support.google_client import Site, reasons


def email(site: Site, drive: object) -> str:
    """Whom the API takes the client for."""
    return str(drive.about().get(fields="user").execute()["user"]["emailAddress"])  # type: ignore[attr-defined]


def test_refresh_token(site: Site) -> None:
    """A refresh token becomes an access token, for the user that gave it."""
    credentials = site.credentials(site.bob)
    with closing(site.build(credentials)) as drive:
        assert email(site, drive) == site.bob
    assert credentials.token is not None
    assert not credentials.expired


def test_service_account_for_a_user(site: Site) -> None:
    """A service account with domain-wide delegation speaks for its subject, or for itself."""
    with closing(site.build(site.service_account(site.bob))) as drive:
        assert email(site, drive) == site.bob
    with closing(site.build(site.service_account(None))) as drive:
        assert email(site, drive).endswith("gserviceaccount.com")


def test_unknown_subject_is_refused(site: Site) -> None:
    """A subject that does not exist is `invalid_grant`."""
    with (
        closing(site.build(site.service_account("nobody@example.com"))) as drive,
        pytest.raises(RefreshError) as caught,
    ):
        email(site, drive)
    assert "invalid_grant" in str(caught.value)


def test_expired_tokens_are_refreshed_by_the_client(site: Site) -> None:
    """When every access token ends, the client gets 401, refreshes, and goes on by itself."""
    credentials = site.credentials(site.alice)
    with closing(site.build(credentials)) as drive:
        email(site, drive)
        before = credentials.token
        site.simulator.tokens.expire_tokens(site.alice)
        assert email(site, drive) == site.alice
        assert credentials.token != before


def test_revoked_grant_ends_the_connection(site: Site) -> None:
    """When the user withdraws consent, the client's refresh is `invalid_grant`."""
    credentials = site.credentials(site.bob)
    with closing(site.build(credentials)) as drive:
        email(site, drive)
        site.simulator.tokens.revoke_token(str(credentials.refresh_token))
        with pytest.raises(RefreshError) as caught:
            email(site, drive)
        assert "invalid_grant" in str(caught.value)


def test_wrong_secret_is_refused(site: Site) -> None:
    """A wrong client secret is `invalid_client`."""
    credentials = site.credentials(site.bob)
    credentials._client_secret = "wrong"  # noqa: SLF001 - there is no public way
    with closing(site.build(credentials)) as drive, pytest.raises(RefreshError) as caught:
        email(site, drive)
    assert "invalid_client" in str(caught.value)


def test_scopes_bound_what_can_be_had(site: Site) -> None:
    """With the metadata scope files can be listed, but content and comments can't be had."""
    with closing(site.build(site.credentials(site.alice, (DRIVE_METADATA_READONLY,)))) as drive:
        assert drive.files().list().execute()["kind"] == "drive#fileList"
        for call in (drive.files().create(body={"name": "x"}), drive.comments().list(fileId="x", fields="*")):
            with pytest.raises(HttpError) as caught:
                call.execute()
            assert (caught.value.status_code, reasons(caught.value)) == (403, ["insufficientPermissions"])


def test_client_made_by_its_endpoint(site: Site) -> None:
    """The usual way to point Google's client somewhere else, `client_options`, works for reads and edits."""
    with closing(site.build_by_endpoint(site.credentials(site.alice))) as drive:
        assert email(site, drive) == site.alice
        assert drive.files().create(body={"name": "By endpoint"}).execute()["name"] == "By endpoint"


@pytest.mark.parametrize("error", ["invalid_grant", "unauthorized_client"])
def test_token_endpoint_fails_on_demand(site: Site, error: str) -> None:
    """A fault at the token endpoint comes in RFC 6749's form."""
    site.simulator.faults.add(Rule(Effect(error=error), Match(method="oauth.token")))
    with closing(site.build(site.credentials(site.bob))) as drive, pytest.raises(RefreshError) as caught:
        email(site, drive)
    assert error in str(caught.value)
