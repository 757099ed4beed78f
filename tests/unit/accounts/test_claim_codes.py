"""Claim codes: enough randomness, forgiving of how people write them, and nothing else."""

from itertools import pairwise

import pytest

from accounts.claim_codes import ALPHABET, hash_claim_code, make_claim_code, matches_claim_code


def test_a_code_has_140_bits_in_letters_that_are_not_confused() -> None:
    codes = [make_claim_code() for _ in range(200)]
    assert len(set(codes)) == 200
    for code in codes:
        assert [len(group) for group in code.split("-")] == [4] * 7
        assert set(code) <= set(ALPHABET) | {"-"}
    assert len(ALPHABET) == 32  # 28 letters of 5 bits
    assert {letter for code in codes for letter in code} == set(ALPHABET) | {"-"}


@pytest.mark.parametrize("written", ["01AB-CDEF", "01abcdef", " 01 ab cd ef ", "OLAB-CDEF", "oIab-cdef"])
def test_a_code_may_be_written_as_people_do(written: str) -> None:
    assert matches_claim_code(hash_claim_code("01AB-CDEF"), written)


def test_another_code_or_none_never_matches() -> None:
    codes = [make_claim_code() for _ in range(20)]
    for one, other in pairwise(codes):
        assert not matches_claim_code(hash_claim_code(one), other)
        assert not matches_claim_code(None, one)
    assert not matches_claim_code(hash_claim_code(codes[0]), "")
