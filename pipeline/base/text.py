"""Names, units and numbers as people can read them: visible, on one line, not too long, with the digits that matter."""

import difflib
import json
import math
import re
import shlex
import unicodedata
from collections.abc import Sequence
from typing import Any

_MOST = 60  # characters
_NAMED = 5  # of a list of names
_UNSEEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}  # control, without width, half of a pair, ends of lines

QUOTED = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*["]""", re.DOTALL)  # a value in quotes, whole


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


def hide_password(text: str) -> str:
    """Return a text with three stars in place of the passwords of addresses in it.

    Example:
        >>> hide_password("tracking.uri=postgresql://me:secret@host/runs"), hide_password("http://host:5000")
        ('tracking.uri=postgresql://me:***@host/runs', 'http://host:5000')
    """
    hidden = re.sub(r"(://[^\s:/?#@]*):[^\s]*@", r"\1:***@", text)
    return re.sub(r"([?&]password=)[^\s&]*", r"\1***", hidden)


def show_excerpt(text: str, most: int = _MOST) -> str:
    r"""Return a piece of a text as it can stand in one line: a sign for each line break and tab.

    Args:
        text: Any text.
        most: Characters that may be left: of a longer text its beginning and its end.

    Example:
        >>> show_excerpt("First Citizen:\nBefor")
        'First Citizen:⏎Befor'
    """
    return show_name(text.replace("\n", "⏎").replace("\t", "⇥"), most)


def show_names(names: Sequence[str]) -> str:
    """Return the first names, and how many more there are.

    Example:
        >>> show_names(["a", "b"]), show_names("abcdefgh")
        ('a, b', 'a, b, c, d, e and 3 more')
    """
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(map(show_name, names[:_NAMED])) + more


def show_time(time: object) -> str:
    """Return a timestamp as a text; a date without its midnight."""
    return str(time).removesuffix(" 00:00:00")


def show_value(value: Any) -> str:
    """Return a parameter as it is written on the command line.

    Example:
        >>> show_value(True), show_value(None), show_value(["log"])
        ('true', 'null', '["log"]')
    """
    return json.dumps(value, ensure_ascii=False) if value is None or isinstance(value, bool | list) else str(value)


def show_setting(key: str, value: str | list[str]) -> str:
    r"""Return `key=value` as a shell and Hydra's grammar both take it, whatever the text holds: ready to paste.

    Example:
        >>> print(show_setting("dataset.separator", ";"), show_setting("dataset.features", ["Sales (EUR)", "a"]))
        'dataset.separator=";"' 'dataset.features=["Sales (EUR)","a"]'
    """
    shown = f"[{','.join(map(_quote, value))}]" if isinstance(value, list) else _quote(value)
    return shlex.quote(f"{key}={shown}")


def show_number(value: float, digits: int = 4, sign: str = "-") -> str:
    """Return a number with so many digits that matter, whatever its unit, zeros at its end as well: columns line up.

    Below a million the digits before the point are written out.

    Args:
        value: In any unit; a good score may be as small as the data.
        digits: Digits that matter.
        sign: `+` to write the sign of a positive number as well.

    Example:
        >>> show_number(52.7), show_number(18, 3, sign="+"), show_number(0.00123456), show_number(4.2e-200)
        ('52.70', '+18.0', '0.001235', '4.200e-200')
        >>> show_number(4321.8), show_number(123456.0), show_number(2.5e6)
        ('4322', '123456', '2.500e+06')
    """
    shown = f"{value:{sign}#.{digits}g}".rstrip(".")
    return f"{value:{sign}.0f}" if "e" in shown and 1 <= abs(value) < 1e6 else shown


def show_p(p: float) -> str:
    """Return a p value with the digits that decide, a dash if there is none (NaN).

    Example:
        >>> show_p(0.0004), show_p(0.0416), show_p(0.62), show_p(float("nan"))
        ('<0.001', '0.042', '0.62', '-')
    """
    return "-" if math.isnan(p) else "<0.001" if p < 0.001 else f"{p:.3f}" if p < 0.1 else f"{p:.2f}"


def _quote(text: str) -> str:
    """Put a text into the double quotes of Hydra's grammar: a backslash counts only before a quote, or at the end."""
    return '"' + re.sub(r'(\\*)("|$)', lambda found: found[1] * 2 + ('\\"' if found[2] else ""), text) + '"'


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode()


def unquote(value: str) -> str:
    r"""Return what stands between quotes, if these hold all of a value; a backslash counts only before a quote.

    Example:
        >>> print(unquote("'a,b'"), unquote(r'"C:\data \"x\""'), unquote("it's"))
        a,b C:\data "x" it's
    """
    if QUOTED.fullmatch(value) is None:
        return value
    return re.sub(r"(\\+)(" + value[0] + "|$)", lambda found: "\\" * (len(found[1]) // 2) + found[2], value[1:-1])


def suggest(word: str, known: Sequence[str], otherwise: str) -> str:
    """Return `did you mean 'look_back'?` for a word that is nearly one that is known, else another sentence."""
    near = difflib.get_close_matches(word, known, n=1)
    return f"did you mean '{near[0]}'?" if near else otherwise
