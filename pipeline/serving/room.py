"""Room for lanes that come one after another."""


def enlarge(places: int, count: int) -> int:
    """Return for how many lanes there shall be room when there is some for `places` and `count` are there.

    A quarter more: one place at a time, ten thousand lanes would take minutes; twice as many would hold half of the
    memory for lanes that never come.
    """
    return max(count, places + places // 4)
