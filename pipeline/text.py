"""Names and units from outside, as people can read them: visible, on one line, not too long."""

import unicodedata

_MOST = 60  # characters
_UNSEEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}  # control, without width, half of a pair, ends of lines


def show_text(text: str) -> str:
    r"""Return a text in which everything can be seen: what a terminal would obey, or hide, is written as an escape.

    Line breaks stay.

    Example:
        >>> show_text("red \x1b[31m, right to left \u202e")
        'red \\x1b[31m, right to left \\u202e'
    """
    if text.isascii() and text.replace("\n", " ").isprintable():
        return text
    return "".join(
        each if each == "\n" or unicodedata.category(each) not in _UNSEEN else _escape(each) for each in text
    )


def show_name(text: str, most: int = _MOST) -> str:
    r"""Return a name as it can stand in a table, a figure or a sentence: visible, on one line, and not too long.

    Args:
        text: Any text.
        most: Characters that may be left: of a longer name its beginning and its end.

    Example:
        >>> show_name("a\nb"), show_name("temperature in the shade", most=15)
        ('a\\nb', 'tempera…e shade')
    """
    seen = show_text(text).replace("\n", "\\n")
    if len(seen) <= most:
        return seen
    end = (most - 1) // 2
    return f"{seen[: most - 1 - end]}…{seen[len(seen) - end :]}"


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode()
