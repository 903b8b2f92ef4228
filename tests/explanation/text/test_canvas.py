"""Characters on a grid: what is written stays where it was put, in its colour."""

from pipeline.explanation.text.canvas import Canvas, Ink, Line, colour


def test_boxes_have_straight_edges_and_a_centred_text() -> None:
    """Breaks every picture: an edge is crooked, or a long text runs over it."""
    canvas = Canvas()
    canvas.box(2, 0, 9, "t-1", Ink.red)
    canvas.box(2, 3, 9, "much too long", Ink.green)
    assert [str(line) for line in canvas.lines()] == [
        "  ┌───────┐",
        "  │  t-1  │",
        "  └───────┘",
        "  ┌───────┐",
        "  │much to│",
        "  └───────┘",
    ]


def test_what_is_written_last_is_seen() -> None:
    """Breaks arrows into boxes: the edge hides them."""
    canvas = Canvas()
    canvas.write(0, 0, "│││", Ink.red)
    canvas.write(1, 0, ">", Ink.green)
    (line,) = canvas.lines()
    assert line.pieces == [("│", Ink.red), (">", Ink.green), ("│", Ink.red)]


def test_an_empty_canvas_has_no_lines_and_a_gap_is_an_empty_line() -> None:
    """Breaks pictures that begin lower down: what follows slides up."""
    assert Canvas().lines() == []
    canvas = Canvas()
    canvas.write(1, 2, "x")
    assert [str(line) for line in canvas.lines()] == ["", "", " x"]


def test_colours_change_no_letter() -> None:
    """Breaks the terminal: a name in square brackets is taken for a colour and vanishes."""
    text = colour([Line([("[red]", Ink.red), (" a [kW]", Ink.plain)]), Line.of("b", Ink.heading)])
    assert text.plain == "[red] a [kW]\nb\n"
    assert [(span.start, span.end, span.style) for span in text.spans if span.style] == [
        (0, 5, "red"),
        (13, 14, "bold"),
    ]
