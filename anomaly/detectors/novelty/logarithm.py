"""A logarithm of elementwise arithmetic alone, so that its last bit does not depend on the length of the array."""

import numpy as np

from anomaly.detectors.contract import Floats

LN_2 = 0.6931471805599453


def find_log1p(value: Floats) -> Floats:
    """ln(1 + value) for value >= 0, within 1e-7.

    With 1 + value = m 2^e and t = (m - 1) / (m + 1), ln m is 2 (t + t^3/3 + t^5/5 + ...), and |t| is at most 1/3.
    """
    m, e = np.frexp(value + 1.0)
    t = (m - 1.0) / (m + 1.0)
    s = t * t
    series = s * (s * (s * (s * (s / 11.0 + 1.0 / 9.0) + 1.0 / 7.0) + 1.0 / 5.0) + 1.0 / 3.0) + 1.0
    found: Floats = e * LN_2 + 2.0 * t * series
    return found
