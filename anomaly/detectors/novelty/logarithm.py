"""A logarithm of elementwise arithmetic alone, so that its last bit does not depend on the length of the array."""

import numpy as np

from anomaly.detectors.contract import Singles

LN_2 = 0.6931471805599453
TERMS = (1.0 / 9.0, 1.0 / 7.0, 1.0 / 5.0, 1.0 / 3.0, 1.0)


def find_log1p(value: Singles) -> Singles:
    """ln(1 + value) for 0 <= value <= 1e9, within 1e-7 and the rounding of single precision.

    With 1 + value = m 2^e and t = (m - 1) / (m + 1), ln m is 2 (t + t^3/3 + t^5/5 + ...), and |t| is at most 1/3.
    """
    m, e = np.frexp(value + np.float32(1.0))
    t = (m - np.float32(1.0)) / (m + np.float32(1.0))
    s = t * t
    series = s * np.float32(1.0 / 11.0)
    for term in TERMS:
        series += np.float32(term)
        if term != 1.0:
            series *= s
    series *= t
    found: Singles = e.astype(np.float32)
    found *= np.float32(LN_2)
    series += series
    found += series
    return found
