"""Windows of warmup that end at fixed draws, whatever the draws are."""

import math

SHORTEST = 20
"""Below so many draws of warmup there are no windows."""
FIRST_SHARED = 5
"""End of the first window of chains that learn together; each later one ends at twice as much."""


def stan_windows(tune: int) -> list[tuple[int, int]]:
    """Return Stan's windows as half-open ranges of draw numbers.

    >>> stan_windows(1000)
    [(75, 100), (100, 150), (150, 250), (250, 450), (450, 950)]
    """
    if tune < SHORTEST:
        return []
    if tune < 75 + 25 + 50:
        return [(math.floor(0.15 * tune), tune - math.floor(0.1 * tune))]
    stop, windows, size = tune - 50, [(75, 100)], 25
    while windows[-1][1] < stop:
        size *= 2
        begin = windows[-1][1]
        room_for_another = begin + size + 2 * size <= stop
        windows.append((begin, begin + size if room_for_another else stop))
    return windows


def pooled_windows(tune: int) -> list[tuple[int, int]]:
    """Return the windows of the scheme "pooled": from the first draw on, without the last 15 %.

    Each ends at twice the draw of the one before it; the last takes in what is left.

    >>> pooled_windows(100)
    [(0, 5), (5, 10), (10, 20), (20, 40), (40, 85)]
    """
    if tune < SHORTEST:
        return []
    begin, end, stop = 0, FIRST_SHARED, tune - 15 * tune // 100
    windows = []
    while begin < stop:
        end = end if 2 * end <= stop else stop
        windows.append((begin, end))
        begin, end = end, 2 * end
    return windows
