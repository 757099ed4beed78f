"""ID tokens without a provider: which key is taken, and what of a set of keys is."""

from datetime import UTC, datetime
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, RSAKey

from api.oidc.id_token import Expected, SigningKey, TokenRefusedError, UnknownKeyError, read_id_token, read_keys
from api.oidc.people import Person, find_mapped_roles, read_person
from api.settings import ApiSettings, OidcSettings
from domain.errors import ConfigurationError

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
NOW = int(AT.timestamp())
EXPECTED = Expected("https://login.example", "forewarn", "n-1")
ONE = RSAKey.generate_key(2048, {"kid": "one", "use": "sig"})
TWO = ECKey.generate_key("P-256", {"kid": "two", "use": "sig", "alg": "ES256"})
CLAIMS: dict[str, Any] = {
    "iss": "https://login.example",
    "aud": ["forewarn"],
    "sub": "s-1",
    "nonce": "n-1",
    "iat": NOW - 5,
    "exp": NOW + 60,
}


def sign(claims: dict[str, Any], key: RSAKey | ECKey, algorithm: str, **header: str) -> str:
    return jwt.encode({"alg": algorithm, **header}, claims, key, algorithms=[algorithm])


def test_a_token_of_either_key_holds_and_a_minute_of_clocks_is_forgiven() -> None:
    keys: list[SigningKey] = [ONE, TWO]
    assert read_id_token(sign(CLAIMS, ONE, "RS256", kid="one"), keys, EXPECTED, AT)["sub"] == "s-1"
    assert read_id_token(sign(CLAIMS, TWO, "ES256", kid="two"), keys, EXPECTED, AT)["sub"] == "s-1"
    late = {**CLAIMS, "exp": NOW - 59, "nbf": NOW + 59}
    assert read_id_token(sign(late, ONE, "RS256", kid="one"), keys, EXPECTED, AT)
    with pytest.raises(TokenRefusedError, match="expired"):
        read_id_token(sign({**CLAIMS, "exp": NOW - 60}, ONE, "RS256", kid="one"), keys, EXPECTED, AT)


def test_without_a_key_id_there_must_be_one_key_alone() -> None:
    text = sign(CLAIMS, ONE, "RS256")
    assert read_id_token(text, [ONE], EXPECTED, AT)
    other = RSAKey.generate_key(2048, {"kid": "other"})
    with pytest.raises(TokenRefusedError, match="key_id"):
        read_id_token(text, [ONE, other], EXPECTED, AT)
    with pytest.raises(UnknownKeyError):
        read_id_token(sign(CLAIMS, ONE, "RS256", kid="three"), [ONE, TWO], EXPECTED, AT)
    with pytest.raises(UnknownKeyError):  # a key says itself what it signs
        read_id_token(sign(CLAIMS, ONE, "RS256", kid="two"), [ONE, TWO], EXPECTED, AT)


@pytest.mark.parametrize("text", ["", "a.b", "a.b.c", "é.é.é", "e30.e30.e30", "....", "e30.e30.e30.e30.e30"])
def test_what_is_no_token_is_refused_and_breaks_nothing(text: str) -> None:
    with pytest.raises(TokenRefusedError):
        read_id_token(text, [ONE], EXPECTED, AT)


def test_who_had_to_show_himself_again_did_so_since() -> None:
    again = Expected(EXPECTED.issuer, EXPECTED.client_id, EXPECTED.nonce, AT)
    for auth_time in (NOW - 61, None, "now", True):
        claims = CLAIMS if auth_time is None else {**CLAIMS, "auth_time": auth_time}
        with pytest.raises(TokenRefusedError, match="auth_time"):
            read_id_token(sign(claims, ONE, "RS256", kid="one"), [ONE], again, AT)
    assert read_id_token(sign({**CLAIMS, "auth_time": NOW - 1}, ONE, "RS256", kid="one"), [ONE], again, AT)


def test_of_a_set_only_public_keys_that_sign_are_taken() -> None:
    document = {
        "keys": [
            ONE.as_dict(private=False),
            {**TWO.as_dict(private=False), "use": "enc"},
            OctKey.generate_key(256).as_dict(private=True),
            {"kty": "RSA", "n": "broken"},
            {"kty": "unheard"},
            "nonsense",
        ]
    }
    assert [key.kid for key in read_keys(document)] == ["one"]
    for wrong in ({}, {"keys": 1}):
        with pytest.raises(ValueError, match="no JWK set"):
            read_keys(wrong)


@pytest.mark.parametrize(
    ("claims", "name"),
    [
        ({"preferred_username": "Anna.Weber@hospital.example"}, "anna.weber"),
        ({"preferred_username": "Ünal Ö"}, "nal"),
        ({"preferred_username": "../../admin"}, "admin"),
        ({"preferred_username": "  "}, "person"),
        ({"preferred_username": 7}, "person"),
        ({}, "person"),
    ],
)
def test_a_name_becomes_one_that_accounts_can_have(claims: dict[str, Any], name: str) -> None:
    assert read_person(OidcSettings(), {"sub": "s", **claims}).name == name


def test_groups_give_roles_by_the_table_alone() -> None:
    settings = OidcSettings(roles="CN=Techs,OU=x=technician, a=b=auditor ,qa=quality_engineer,qa=auditor")
    with pytest.raises(ConfigurationError, match="is no group=role"):
        settings.find_roles()  # a comma ends an entry
    settings = OidcSettings(roles="a=b=auditor,qa=quality_engineer,qa=auditor")
    assert find_mapped_roles(settings, Person("s", "n", "N", ("qa", "admin"))) == ["auditor", "quality_engineer"]
    assert find_mapped_roles(settings, Person("s", "n", "N", ("a=b",))) == ["auditor"]
    assert find_mapped_roles(settings, Person("s", "n", "N", ("admin",))) == []
    assert find_mapped_roles(OidcSettings(), Person("s", "n", "N", ("admin",))) is None


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (ApiSettings("", password_sign_in=False), "wants FOREWARN_API_OIDC_ISSUER"),
        (ApiSettings("", oidc=OidcSettings("https://x")), "FOREWARN_API_OIDC_CLIENT_ID"),
        (ApiSettings("", oidc=OidcSettings("https://x", "a")), "FOREWARN_API_PUBLIC_URL"),
        (ApiSettings("", public_url="https://f", oidc=OidcSettings("http://x", "a")), "must begin with https"),
        (ApiSettings("", public_url="http://f", oidc=OidcSettings("https://x", "a")), "must begin with https"),
        (ApiSettings("", public_url="https://f", oidc=OidcSettings("https://x", "a", scopes="email")), "openid"),
        (
            ApiSettings("", public_url="https://f", oidc=OidcSettings("https://x", "a", roles="g=customer")),
            "group=role",
        ),
    ],
)
def test_settings_that_would_let_nobody_in_or_the_wrong_ones_are_refused(settings: ApiSettings, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        settings.verify()


def test_settings_that_go_together_are_taken() -> None:
    ApiSettings("").verify()
    oidc = OidcSettings("https://x", "a", roles="g=auditor")
    ApiSettings("", public_url="https://f", oidc=oidc, password_sign_in=False).verify()
