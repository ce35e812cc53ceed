"""Numbers as a person reads them: thousands apart, sensible decimals, and columns that still add up after rounding."""

import math
from collections.abc import Sequence
from datetime import datetime

NONE = "–"
"""What stands where there is no number."""


def fixed(value: float | None, decimals: int) -> str:
    """``12,345.60``; an en dash where there is no number.

    >>> fixed(12345.6, 2), fixed(float("nan"), 1), fixed(-0.001, 1)
    ('12,345.60', '–', '0.0')
    """
    if value is None or not math.isfinite(value):
        return NONE
    text = f"{value:,.{decimals}f}"
    return text.lstrip("-") if not any(digit in text for digit in "123456789") else text


def significant(value: float | None, digits: int = 3) -> str:
    """A number to ``digits`` significant digits, without an exponent down to 1e-6 and with its whole part kept.

    >>> significant(0.0354321), significant(1234.56), significant(0.0), significant(2.0)
    ('0.0354', '1,235', '0', '2')
    """
    if value is None or not math.isfinite(value):
        return NONE
    if value == 0:
        return "0"
    if abs(value) < 1e-6:
        return f"{value:.{digits - 1}e}"
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    text = f"{value:,.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def file_size(count: float | None) -> str:
    """Bytes as ``3.2 MB``.

    >>> file_size(3_210_000), file_size(512)
    ('3.2 MB', '512 B')
    """
    if count is None:
        return NONE
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def duration(seconds: float | None) -> str:
    """Seconds as ``1 h 02 min``, ``3 min 05 s`` or ``12.3 s``.

    >>> duration(12.34), duration(185), duration(3725)
    ('12.3 s', '3 min 05 s', '1 h 02 min')
    """
    if seconds is None:
        return NONE
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def moment(text: str | None) -> str:
    """A time of ISO 8601 as people write it, to the second, its zone kept.

    >>> moment("2025-01-08T02:11:47+00:00"), moment("2025-01-08T10:11:47.25+08:00")
    ('2025-01-08 02:11:47 UTC', '2025-01-08 10:11:47 UTC+08:00')
    """
    if not text:
        return NONE
    return f"{datetime.fromisoformat(text):%Y-%m-%d %H:%M:%S %Z}".strip()


def rounded_to_sum(values: Sequence[float], total: float, decimals: int) -> list[float]:
    """``values`` rounded so that they add up to the rounded ``total``: the largest remainders are rounded up (science book SW-3).

    >>> rounded_to_sum([1.004, 1.004, 1.002], 3.01, 2)
    [1.01, 1.0, 1.0]
    """
    scale = 10**decimals
    floors = [math.floor(value * scale) for value in values]
    missing = round(total * scale) - sum(floors)
    order = sorted(range(len(values)), key=lambda i: (floors[i] - values[i] * scale, i))
    for i in order[: max(0, missing)]:
        floors[i] += 1
    return [floor / scale for floor in floors]


def nice_ticks(low: float, high: float, count: int = 4) -> list[float]:
    """Round numbers from ``low`` to ``high``, ``count`` steps apart at most.

    >>> nice_ticks(0.013, 0.052)
    [0.02, 0.03, 0.04, 0.05]
    """
    if not high > low:
        return [low]
    raw = (high - low) / count
    magnitude = 10.0 ** math.floor(math.log10(raw))
    step = next(m * magnitude for m in (1, 2, 2.5, 5, 10) if m * magnitude > 0.98 * raw)
    first = math.ceil(low / step - 1e-9)
    return [float(f"{i * step:.12g}") for i in range(first, math.floor(high / step + 1e-9) + 1)]


def nice_length(limit: float) -> float:
    """The largest 1, 2 or 5 times a power of ten that is not above ``limit``.

    >>> nice_length(7300.0)
    5000.0
    """
    magnitude = 10.0 ** math.floor(math.log10(limit))
    return max(m * magnitude for m in (1.0, 2.0, 5.0) if m * magnitude <= limit)
