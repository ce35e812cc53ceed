"""Storms in a record of rain: where one ends and the next begins, and the depth, energy and peak of each.

A record is its intervals with rain, in order and apart: ``begin`` and ``end`` in minutes, ``depth`` in mm, and ``before``, the rain that fell
before each of them. Rain is uniform inside an interval, so that the rain until a moment is a curve of straight pieces.
"""

import math

from rusle_kernels._jit import inline, kernel


@kernel
def separate(begin, end, depth, before, gap_min, limit_mm, first):
    """The first interval of each storm into ``first``; returns how many storms there are.

    A storm is over where, from its first rain on, less than ``limit_mm`` falls within ``gap_min``. The next begins after the longest pause
    that such a span touches, after the last of them when several are as long. The curve's straight pieces make a span with the least rain
    begin where an interval ends, or end where one begins, or begin with the storm: only these are looked at.
    """
    count = begin.size
    if count == 0:
        return 0
    first[0] = 0
    storms, start, left, k = 1, 0, 0, 1
    while k < count:
        rate = depth[k] / (end[k] - begin[k])
        broken = -1
        at = begin[start] + gap_min
        if end[k - 1] < at <= end[k] and before[k] + rate * max(0.0, at - begin[k]) - before[start] < limit_mm:
            broken = start
        while broken < 0 and end[left] + gap_min <= begin[k]:
            if before[k] - before[left] - depth[left] < limit_mm:
                broken = left
            left += 1
        at = begin[k] - gap_min
        if broken < 0 and at >= begin[start]:
            inside = max(0.0, (at - begin[left]) / (end[left] - begin[left]))
            if before[k] - before[left] - depth[left] * inside < limit_mm:
                broken = left
        while broken < 0 and end[left] + gap_min <= end[k]:
            if before[k] + rate * (end[left] + gap_min - begin[k]) - before[left] - depth[left] < limit_mm:
                broken = left
            left += 1
        if broken >= 0:
            start = k
            for after in range(k - 1, broken, -1):
                if begin[after] - end[after - 1] > begin[start] - end[start - 1]:
                    start = after
            first[storms] = start
            storms += 1
            left = start
            k = start
        k += 1
    return storms


@inline
def greatest_depth(begin, end, depth, before, low, high, width_min):
    """The most rain in any ``width_min`` minutes of the intervals ``low`` to ``high`` - 1: the span begins or ends with an interval."""
    greatest = 0.0
    right = low
    for i in range(low, high):
        while right + 1 < high and begin[right + 1] < begin[i] + width_min:
            right += 1
        inside = min(1.0, (begin[i] + width_min - begin[right]) / (end[right] - begin[right]))
        greatest = max(greatest, before[right] + depth[right] * inside - before[i])
    left = low
    for i in range(low, high):
        while end[left] <= end[i] - width_min:
            left += 1
        outside = max(0.0, (end[i] - width_min - begin[left]) / (end[left] - begin[left]))
        greatest = max(greatest, before[i] + depth[i] - before[left] - depth[left] * outside)
    return greatest


@kernel
def quantities(begin, end, depth, before, unit_energy, first, out):
    """Of each storm: depth [mm], energy [MJ ha-1], and the most rain in any 30 and in any 15 minutes [mm]; ``out`` is (storms, 4)."""
    for storm in range(first.size):
        low = first[storm]
        high = first[storm + 1] if storm + 1 < first.size else begin.size
        out[storm, 0] = 0.0
        out[storm, 1] = 0.0
        for i in range(low, high):
            out[storm, 0] += depth[i]
            out[storm, 1] += unit_energy[i] * depth[i]
        out[storm, 2] = greatest_depth(begin, end, depth, before, low, high, 30.0)
        out[storm, 3] = greatest_depth(begin, end, depth, before, low, high, 15.0)


@kernel
def unit_energy_wischmeier_smith1978(intensity, out):
    """0.119 + 0.0873 log10 i, 0.283 above 76 mm/h, never below 0 (the logarithm is, under 0.0433 mm/h)."""
    for i in range(intensity.size):
        out[i] = 0.283 if intensity[i] > 76.0 else max(0.0, 0.119 + 0.0873 * math.log10(intensity[i]))


@kernel
def unit_energy_brown_foster1987(intensity, out):
    """0.29 (1 - 0.72 exp(-0.05 i))."""
    for i in range(intensity.size):
        out[i] = 0.29 * (1.0 - 0.72 * math.exp(-0.05 * intensity[i]))


@kernel
def unit_energy_mcgregor1995(intensity, out):
    """0.29 (1 - 0.72 exp(-0.082 i))."""
    for i in range(intensity.size):
        out[i] = 0.29 * (1.0 - 0.72 * math.exp(-0.082 * intensity[i]))


@kernel
def unit_energy_mcgregor_mutchler1976(intensity, out):
    """0.273 + 0.2168 exp(-0.048 i) - 0.4126 exp(-0.072 i)."""
    for i in range(intensity.size):
        out[i] = 0.273 + 0.2168 * math.exp(-0.048 * intensity[i]) - 0.4126 * math.exp(-0.072 * intensity[i])


@kernel
def unit_energy_verstraeten2006(intensity, out):
    """0.1112 i^0.31, without a cap."""
    for i in range(intensity.size):
        out[i] = 0.1112 * intensity[i] ** 0.31


@kernel
def unit_energy_rogler_schwertmann1981(intensity, out):
    """0.1189 + 0.0873 log10 i between 0.05 and 76.2 mm/h, 0.2833 from there on, 0 below."""
    for i in range(intensity.size):
        if intensity[i] < 0.05:
            out[i] = 0.0
        elif intensity[i] < 76.2:
            out[i] = 0.1189 + 0.0873 * math.log10(intensity[i])
        else:
            out[i] = 0.2833
