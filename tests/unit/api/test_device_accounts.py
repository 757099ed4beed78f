"""A password goes back by TLS, or does not leave the machine."""

import pytest

from api.problems import ProblemError
from api.routes.device_accounts import require_confidential
from api.settings import ApiSettings

PLAIN = ApiSettings(database_url="")
BEHIND_TLS = ApiSettings(database_url="", public_url="https://forewarn.example.org")


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "127.9.9.9"])
def test_on_this_machine_no_tls_is_needed(address: str) -> None:
    require_confidential(PLAIN, address, is_forwarded=False)


@pytest.mark.parametrize("address", ["192.0.2.1", "2001:db8::1", "", "testclient", "0.0.0.0"])
def test_from_elsewhere_tls_is_needed(address: str) -> None:
    require_confidential(BEHIND_TLS, address, is_forwarded=False)
    with pytest.raises(ProblemError) as refused:
        require_confidential(PLAIN, address, is_forwarded=False)
    assert refused.value.status == 403


def test_a_proxy_on_this_machine_passes_on_what_comes_from_elsewhere() -> None:
    require_confidential(BEHIND_TLS, "127.0.0.1", is_forwarded=True)
    with pytest.raises(ProblemError):
        require_confidential(PLAIN, "127.0.0.1", is_forwarded=True)
