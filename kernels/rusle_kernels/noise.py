"""Repeatable noise for sample regions: gradient noise on an integer lattice, and a terrain with valleys made of it.

Every value is a function of the seed and of the cell's place in the grid alone: the lattice's gradients come from hashing integer
coordinates (the finaliser of SplitMix64, Steele, Lea & Flood 2014), so any cutting into tiles gives the same bits. Gradient noise with
the quintic fade is Perlin's (2002, ACM Trans. Graph. 21:681).
"""

import math

import numpy as np

from rusle_kernels._jit import inline, kernel


@inline
def _mixed(bits):
    """SplitMix64's finaliser: a bijection of 64 bits in which every input bit reaches every output bit."""
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))


@inline
def _hashed(seed, row, column):
    """64 bits of the lattice point (row, column), as good as random, the same on every machine."""
    bits = seed + np.uint64(row) * np.uint64(0x9E3779B97F4A7C15)
    return _mixed(_mixed(bits) + np.uint64(column) * np.uint64(0xD1B54A32D192ED03))


@inline
def _component(bits):
    """The low 32 bits as a number in [-1, 1)."""
    return (bits & np.uint64(0xFFFFFFFF)) / 2147483648.0 - 1.0


@inline
def _fade(t):
    return t * t * t * (t * (t * 6.0 - 15.0) + 10.0)


@kernel
def uniform(seed, first, out):
    """``out[i, j]`` in [0, 1): draw number ``first`` + its flat index of the stream ``seed``."""
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            out[i, j] = (_hashed(np.uint64(seed), first + i * out.shape[1] + j, 0) >> np.uint64(11)) / 9007199254740992.0


@kernel
def gradient_noise(seed, row, column, wavelength, amplitude, out):
    """Add noise of one ``wavelength`` [cells] to ``out``, whose first cell is (row, column) of the grid; about ±0.6 ``amplitude``.

    The inner loop runs over the cells between two lattice columns, whose four gradients stay the same.
    """
    stream = np.uint64(seed)
    width = out.shape[1]
    for i in range(out.shape[0]):
        y = (row + i) / wavelength
        north = math.floor(y)
        v = y - north
        fade_v = _fade(v)
        start = 0
        while start < width:
            west = math.floor((column + start) / wavelength)
            stop = min(width, max(start + 1, math.ceil((west + 1) * wavelength) - column))
            while stop > start + 1 and math.floor((column + stop - 1) / wavelength) > west:  # where the product was rounded up
                stop -= 1
            nw = _hashed(stream, north, west)
            ne = _hashed(stream, north, west + 1)
            sw = _hashed(stream, north + 1, west)
            se = _hashed(stream, north + 1, west + 1)
            nw_x, nw_y = _component(nw), _component(nw >> np.uint64(32)) * v
            ne_x, ne_y = _component(ne), _component(ne >> np.uint64(32)) * v
            sw_x, sw_y = _component(sw), _component(sw >> np.uint64(32)) * (v - 1.0)
            se_x, se_y = _component(se), _component(se >> np.uint64(32)) * (v - 1.0)
            for j in range(start, stop):
                u = (column + j) / wavelength - west
                fade_u = _fade(u)
                a = nw_x * u + nw_y
                b = ne_x * (u - 1.0) + ne_y
                c = sw_x * u + sw_y
                d = se_x * (u - 1.0) + se_y
                top = a + fade_u * (b - a)
                bottom = c + fade_u * (d - c)
                out[i, j] += amplitude * (top + fade_v * (bottom - top))
            start = stop


@inline
def _noise_at(seed, y, x):
    north = math.floor(y)
    west = math.floor(x)
    v = y - north
    u = x - west
    nw = _hashed(seed, north, west)
    ne = _hashed(seed, north, west + 1)
    sw = _hashed(seed, north + 1, west)
    se = _hashed(seed, north + 1, west + 1)
    a = _component(nw) * u + _component(nw >> np.uint64(32)) * v
    b = _component(ne) * (u - 1.0) + _component(ne >> np.uint64(32)) * v
    c = _component(sw) * u + _component(sw >> np.uint64(32)) * (v - 1.0)
    d = _component(se) * (u - 1.0) + _component(se >> np.uint64(32)) * (v - 1.0)
    fade_u = _fade(u)
    top = a + fade_u * (b - a)
    bottom = c + fade_u * (d - c)
    return top + _fade(v) * (bottom - top)


@inline
def _arch(t):
    """A sine of ``t`` turns, -1/2 to 1/2, drawn with two parabolas: plain arithmetic, the same bits on every machine."""
    return 8.0 * t * (1.0 - 2.0 * abs(t))


_FURROWS = 1.5
"""Furrows to a lattice cell: enough that neighbours agree on a direction, few enough that they fork and join."""
_FADING = 0.25
"""Slope [m/m] at which side valleys reach half their depth; without it they would dig pits in valley floors."""


@kernel
def gullied_terrain(seed, row, column, cell_m, tilt, swell_m, swell_wavelength_m, wavelengths_m, depths_m, height, valley):
    """A tilted land with valleys of valleys: ``height`` [m], and ``valley``, 0 on the line of a main valley to 1 on a main divide.

    The land falls southwards by ``tilt`` and swells by ``swell_m``. Each octave then lays furrows down the slope that the octaves before it
    left, on a lattice of ``wavelengths_m[k]`` and ``depths_m[k]`` deep: side valleys run into valleys at an angle, and the tree drains. Where the
    land is level the furrows fade. A furrow's phase is blended from the four lattice points around a cell, each with its own random phase.
    """
    stream = np.uint64(seed)
    step = 0.01  # of the swell's wavelength, to difference it
    for i in range(height.shape[0]):
        for j in range(height.shape[1]):
            y = (row + i) * cell_m
            x = (column + j) * cell_m
            swell_y = y / swell_wavelength_m
            swell_x = x / swell_wavelength_m
            swell = _noise_at(stream, swell_y, swell_x)
            total = swell_m * swell - tilt * y
            fall_y = swell_m * (_noise_at(stream, swell_y + step, swell_x) - swell) / (step * swell_wavelength_m) - tilt
            fall_x = swell_m * (_noise_at(stream, swell_y, swell_x + step) - swell) / (step * swell_wavelength_m)
            for k in range(wavelengths_m.shape[0]):
                steepness = math.sqrt(fall_y * fall_y + fall_x * fall_x)
                along_y = fall_x / (steepness + 1e-9)  # along the contour: across the furrows
                along_x = -fall_y / (steepness + 1e-9)
                lattice_y = y / wavelengths_m[k]
                lattice_x = x / wavelengths_m[k]
                north = math.floor(lattice_y)
                west = math.floor(lattice_x)
                fade_v = _fade(lattice_y - north)
                fade_u = _fade(lattice_x - west)
                cosine = 0.0
                sine = 0.0
                for corner in range(4):
                    down = corner >> 1
                    right = corner & 1
                    weight = (fade_v if down else 1.0 - fade_v) * (fade_u if right else 1.0 - fade_u)
                    bits = _hashed(stream + np.uint64(k + 1), north + down, west + right)
                    turns = 0.25 * _component(bits) + _FURROWS * ((lattice_y - north - down) * along_y + (lattice_x - west - right) * along_x)
                    turns -= math.floor(turns + 0.5)
                    cosine += weight * _arch(0.25 - abs(turns))
                    sine += weight * _arch(turns)
                norm = 1.0 / math.sqrt(cosine * cosine + sine * sine + 1e-6)
                strength = depths_m[k]
                if k > 0:
                    strength *= steepness * steepness / (steepness * steepness + _FADING * _FADING)
                total += 0.5 * strength * cosine * norm
                slope_across = -0.5 * strength * sine * norm * _FURROWS * 6.283185307179586 / wavelengths_m[k]
                fall_y += slope_across * along_y
                fall_x += slope_across * along_x
                if k == 0:
                    valley[i, j] = 0.5 + 0.5 * cosine * norm
            height[i, j] = total
