import pytest

from domain.errors import ConfigurationError
from domain.webhook_proxy import Proxy, read_proxy


def test_where_the_proxy_is_and_what_it_is_told() -> None:
    assert read_proxy(" ") is None
    assert read_proxy("http://proxy.example") == Proxy("proxy.example", 3128)
    assert read_proxy("http://[fd00::1]:8080/") == Proxy("fd00::1", 8080)
    told = read_proxy("http://me:p%40ss@proxy.example:80")
    assert told == Proxy("proxy.example", 80, "Basic bWU6cEBzcw==")
    assert "bWU6" not in repr(told)
    assert str(told) == "proxy.example:80"


@pytest.mark.parametrize(
    "text",
    [
        "proxy.example:3128",
        "https://proxy.example",
        "socks5://proxy.example",
        "http://",
        "http://proxy.example:0",
        "http://proxy.example:99999",
        "http://proxy.example/path",
        "http://me:geheim@proxy.example?x=1",
        "http://me:geheim@[nowhere",
    ],
)
def test_what_is_no_proxy_is_refused_without_its_password(text: str) -> None:
    with pytest.raises(ConfigurationError, match="FOREWARN_WEBHOOK_PROXY") as refused:
        read_proxy(text)
    assert "geheim" not in str(refused.value)
