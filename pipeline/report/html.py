"""A comparison as one self-contained page: no network, light and dark, readable on a phone, everything escaped."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from pipeline.report.comparison_text import (
    EXPLANATION,
    list_sentences,
    show,
    show_interval,
    show_p,
    show_spread,
    title,
)

MOST_SENTENCES = 200
# Colours are those of Okabe and Ito, which people with any colour vision tell apart; nothing is said by colour alone.
_STYLE = """
:root { color-scheme: light dark; --ink: #1a1a1a; --paper: #ffffff; --soft: #f2f4f6; --line: #c8ced4; --mark: #0072b2; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e8e8e8; --paper: #16181b; --soft: #22262b; --line: #454c54; --mark: #56b4e9; }
}
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); margin: 0 auto;
       max-width: 70rem; padding: 1rem; overflow-wrap: anywhere; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
.verdict { border-left: 4px solid var(--mark); background: var(--soft); padding: .75rem 1rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; overflow-wrap: normal; }
th, td { border-bottom: 1px solid var(--line); padding: .3rem .7rem; text-align: right; white-space: nowrap; }
th { position: sticky; top: 0; background: var(--soft); }
tr.best td { font-weight: 600; }
code { background: var(--soft); padding: .1rem .3rem; }
img { max-width: 100%; height: auto; background: #ffffff; border: 1px solid var(--line); }
figure { margin: 1rem 0; } figcaption { font-size: .9rem; }
"""
_HEADINGS = ("seeds", "validation RMSE", "test RMSE", "95 % interval", "test MAE", "vs best", "p")


def write_comparison_page(document: Mapping[str, Any]) -> str:
    """Return the page of a comparison: verdict, table, sentences."""
    return page(
        title(document),
        [
            f'<p class="verdict">{escape(document["verdict"])}</p>',
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


def write_table(document: Mapping[str, Any]) -> str:
    """Return the table of all configurations, in a box of its own that scrolls sideways on a phone."""
    heads = "".join(f'<th scope="col">{escape(name)}</th>' for name in (*document["by"], *_HEADINGS))
    rows = [_row(each, document["by"]) for each in document["configurations"]]
    return f'<div class="wide"><table><thead><tr>{heads}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'


def sentence_sections(document: Mapping[str, Any]) -> list[str]:
    """Return the sentences as lists under their headings."""
    return [
        section(heading, ["<ul>", *(f"<li>{escape(sentence)}</li>" for sentence in sentences), "</ul>"])
        for heading, sentences in list_sentences(document, MOST_SENTENCES)
    ]


def section(heading: str, blocks: Sequence[str]) -> str:
    """Return blocks under a heading."""
    return f"<section><h2>{escape(heading)}</h2>{''.join(blocks)}</section>"


def _row(configuration: Mapping[str, Any], by: Sequence[str]) -> str:
    against = configuration["against_best"]
    cells = [
        *(show(configuration["parameters"][key]) for key in by),
        str(configuration["seeds"]),
        f"{configuration['validation_rmse']['mean']:.4g}",
        show_spread(configuration["test_rmse"]),
        show_interval(configuration["test_rmse"]),
        f"{configuration['test_mae']['mean']:.4g}",
        "best by validation" if against is None else f"{against['difference']:+.3g}",
        "" if against is None else show_p(against["p_holm"]),
    ]
    kind = ' class="best"' if against is None else ""
    return f"<tr{kind}>{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>"
