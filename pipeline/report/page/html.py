"""A comparison as one self-contained page: no network, light and dark, readable on a phone, everything escaped."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from pipeline.base.text import show_number, show_p
from pipeline.report.terminal.comparison import (
    EXPLANATION,
    list_sentences,
    show,
    show_interval,
    show_spread,
    title,
)

MOST_SENTENCES = 200
_MOST_OPEN = 8  # sentences of one list that a reader takes in; more are unfolded on demand
# Colours are those of Okabe and Ito, which people with any colour vision tell apart; nothing is said by colour alone.
_STYLE = """
:root { color-scheme: light dark; --ink: #1a1a1a; --paper: #ffffff; --soft: #f2f4f6; --line: #c8ced4; --mark: #0072b2;
        --warn: #d55e00; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e8e8e8; --paper: #16181b; --soft: #22262b; --line: #454c54; --mark: #56b4e9; }
}
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); margin: 0 auto;
       max-width: 66rem; padding: 1rem; overflow-wrap: anywhere; -webkit-text-size-adjust: 100%; }
h1 { font-size: 1.3rem; line-height: 1.3; } h2 { font-size: 1.15rem; margin: 2.2rem 0 .6rem; }
h1.part { border-top: 2px solid var(--line); margin-top: 3rem; padding-top: 1.5rem; }
p, ul { max-width: 52rem; } li { margin: .2rem 0; white-space: pre-line; } ul { padding-left: 1.3rem; }
.verdict { border-left: 5px solid var(--mark); background: var(--soft); padding: .8rem 1.1rem; max-width: none; }
.verdict strong { display: block; font-size: 1.2rem; line-height: 1.4; }
.warning { border-left: 5px solid var(--warn); background: var(--soft); padding: .5rem 1.1rem; max-width: none; }
a { color: var(--mark); }
.facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(14rem, 1fr)); gap: .8rem; margin: 1rem 0; }
.facts div { border: 1px solid var(--line); border-radius: 6px; padding: .5rem .9rem; }
dt { font-size: .85rem; } dd { margin: 0; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; overflow-wrap: normal; min-width: 100%; }
th, td { border-bottom: 1px solid var(--line); padding: .3rem .6rem; text-align: right; white-space: nowrap; }
th { background: var(--soft); vertical-align: bottom; font-size: .9rem; white-space: normal; }
tr.best td { font-weight: 600; }
code { background: var(--soft); padding: .1rem .3rem; }
.command { display: block; border: 1px solid var(--line); border-radius: 6px; padding: .6rem .9rem; user-select: all; }
figure { margin: 0; } figcaption { font-size: .9rem; margin-top: .4rem; max-width: 52rem; }
svg { display: block; width: 100%; height: auto; } .narrow { display: none; max-width: 34rem; }
.hint { font-size: .85rem; margin: .3rem 0; }
@media (max-width: 46rem) {
  .broad { display: none; } .narrow { display: block; } th, td { padding: .3rem .45rem; } table { font-size: .9rem; }
}
@media print { details:not([open])::details-content { content-visibility: visible; block-size: auto; } }
"""
_HEADINGS = ("validation RMSE", "test RMSE", "95 % interval", "vs best", "p", "test MAE", "seeds")


def write_comparison_page(document: Mapping[str, Any]) -> str:
    """Return the page of a comparison: verdict, table, sentences."""
    return page(
        title(document),
        [
            write_verdict(document),
            f"<p>Scored on {escape(document['dataset']['scored'])}; {escape(document['selection'])}.</p>",
            section("Configurations, the best validation score first", [write_table(document)]),
            *sentence_sections(document),
            f"<p>{escape(EXPLANATION)}</p>",
        ],
    )


def page(heading: str, blocks: Sequence[str]) -> str:
    """Return a whole page around blocks of HTML."""
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en">',
            '<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">',
            # The page may show itself and its own images, and load or run nothing.
            "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; "
            'img-src data:">',
            f"<title>{escape(heading)}</title><style>{_STYLE}</style></head>",
            f"<body><h1>{escape(heading)}</h1>",
            *blocks,
            "</body></html>",
            "",
        ]
    )


def write_verdict(document: Mapping[str, Any]) -> str:
    """Return the verdict, its first sentence large enough to be read in passing."""
    first, rest = split_verdict(document)
    return f'<p class="verdict"><strong>{_text(first)}</strong> {_text(rest)}</p>'


def split_verdict(document: Mapping[str, Any]) -> tuple[str, str]:
    """Return the first sentence of the verdict, and the others."""
    first, stop, rest = document["verdict"].partition(". ")
    return first + stop.strip(), rest


def write_table(document: Mapping[str, Any]) -> str:
    """Return the table of all configurations, in a box of its own that scrolls sideways on a phone."""
    headings = [name.replace("RMSE", document["dataset"]["measure"]) for name in _HEADINGS]
    heads = "".join(f'<th scope="col">{escape(name)}</th>' for name in ("#", *document["by"], *headings))
    rows = [_row(number, each, document["by"]) for number, each in enumerate(document["configurations"], start=1)]
    table = f"<table><thead><tr>{heads}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
    return f'<div class="wide">{table}</div><p class="narrow hint">The table scrolls sideways.</p>'


def sentence_sections(document: Mapping[str, Any]) -> list[str]:
    """Return the sentences as lists under their headings."""
    return [section(heading, [_list(sentences)]) for heading, sentences in list_sentences(document, MOST_SENTENCES)]


def _list(sentences: Sequence[str]) -> str:
    items = f"<ul>{''.join(f'<li>{_text(sentence)}</li>' for sentence in sentences)}</ul>"
    if len(sentences) <= _MOST_OPEN:
        return items
    return f"<details><summary>{len(sentences)} comparisons</summary>{items}</details>"


def section(heading: str, blocks: Sequence[str]) -> str:
    """Return blocks under a heading."""
    return f"<section><h2>{escape(heading)}</h2>{''.join(blocks)}</section>"


def _text(sentence: str) -> str:
    """Escape a sentence, and keep its per cent signs on the line of their numbers."""
    return escape(sentence).replace(" %", "&nbsp;%")


def _row(number: int, configuration: Mapping[str, Any], by: Sequence[str]) -> str:
    against = configuration["against_best"]
    cells = [
        str(number),
        *(show(configuration["parameters"][key]) for key in by),
        show_number(configuration["validation_rmse"]["mean"]),
        show_spread(configuration["test_rmse"]),
        show_interval(configuration["test_rmse"]),
        "best" if against is None else show_number(against["difference"], 3, sign="+").replace("-", "\N{MINUS SIGN}"),
        "" if against is None else show_p(against["p_holm"]),
        show_number(configuration["test_mae"]["mean"]),
        str(configuration["seeds"]),
    ]
    kind = ' class="best"' if against is None else ""
    return f"<tr{kind}>{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>"
