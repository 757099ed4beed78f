"""A password goes back by TLS, or does not leave the machine."""

import pytest

from api.problems import ProblemError
from api.routes.device_accounts import require_confidential
from api.settings import ApiSettings

PLAIN = ApiSettings(database_url="")
BEHIND_TLS = ApiSettings(database_url="", public_url="https://forewarn.example.org")


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "127.9.9.9"])
def test_on_this_machine_no_tls_is_needed(address: str) -> None:
    require_confidential(PLAIN, address)


@pytest.mark.parametrize("address", ["192.0.2.1", "2001:db8::1", "", "testclient", "0.0.0.0"])
def test_from_elsewhere_tls_is_needed(address: str) -> None:
    require_confidential(BEHIND_TLS, address)
    with pytest.raises(ProblemError) as refused:
        require_confidential(PLAIN, address)
    assert refused.value.status == 403
