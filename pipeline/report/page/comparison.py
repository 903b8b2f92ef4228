"""A comparison as one page: verdict, table, sentences."""

from pipeline.base.document import Document
from pipeline.report.page.template import MOST_SENTENCES, render_page
from pipeline.report.wording import list_sentences, title


def write_comparison_page(document: Document) -> str:
    """Return the page of a comparison."""
    sections = list_sentences(document, MOST_SENTENCES)
    return render_page("comparison", title(document), document=document, sections=sections)
