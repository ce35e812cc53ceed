"""What measures that cover a part of a cell leave of its soil loss."""

from rusle_kernels._jit import kernel
from rusle_kernels.coverage import FULL


@kernel
def subtract_covered(starts, polygons, lefts, rights, weights, strengths, out):
    """Take from every cell the share of it that a polygon covers, times the polygon's strength.

    Row i has the runs ``starts[i]`` to ``starts[i + 1]``: columns ``lefts`` to before ``rights`` covered by ``weights`` / ``FULL``.
    """
    for i in range(out.shape[0]):
        for n in range(starts[i], starts[i + 1]):
            share = weights[n] / FULL * strengths[polygons[n]]
            for j in range(lefts[n], rights[n]):
                out[i, j] -= share
