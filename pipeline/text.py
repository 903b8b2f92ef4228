"""Names and units from outside, as people can read them: on one line, visible, not too long."""

_MOST = 60  # characters


def show_name(text: str, most: int = _MOST) -> str:
    r"""Return a name as it can stand in a table, a figure or a sentence.

    What cannot be seen (line breaks, control characters, characters without width) is written as an escape, and a name
    that is too long keeps its beginning and its end.

    Args:
        text: Any text.
        most: Characters that may be left.

    Example:
        >>> show_name("a\nb"), show_name("temperature in the shade", most=15)
        ('a\\nb', 'tempera…e shade')
    """
    seen = "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)
    if len(seen) <= most:
        return seen
    end = (most - 1) // 2
    return f"{seen[: most - 1 - end]}…{seen[len(seen) - end :]}"
