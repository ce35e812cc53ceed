"""Tiles grouped into blocks, blocks into larger blocks: a solve in levels, whatever the graph."""

from rusle_engine.core.lift import Layout


def pieces(sizes, most):
    """Consecutive sizes, ``most`` at a time."""
    return [tuple(sizes[start : start + most]) for start in range(0, len(sizes), most)]


def solved_in_levels(graph, records, layout, levels):
    """The answers to all tiles, by blocks of ``levels[0]`` (rows, columns) of tiles, blocks of ``levels[1]`` of those, and so on."""
    if not levels:
        return graph.solve(records, layout)
    down, right = levels[0]
    heights, widths = pieces(layout.heights, down), pieces(layout.widths, right)
    coarse = Layout(tuple(map(sum, heights)), tuple(map(sum, widths)))
    blocks = []
    for k, place in enumerate(coarse.places):
        block_row, block_column = divmod(k, len(widths))
        inside = Layout(heights[block_row], widths[block_column])
        rows = range(block_row * down, block_row * down + len(inside.heights))
        columns = range(block_column * right, block_column * right + len(inside.widths))
        tiles = [row * len(layout.widths) + column for row in rows for column in columns]
        blocks.append((tiles, *graph.merge([records[tile] for tile in tiles], inside, place)))
    answers = [None] * len(records)
    for (tiles, _, state), answer in zip(blocks, solved_in_levels(graph, [block[1] for block in blocks], coarse, levels[1:])):
        for tile, told in zip(tiles, graph.spread(state, answer), strict=True):
            answers[tile] = told
    return answers
