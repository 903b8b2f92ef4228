"""The second gate for dataset.calendar: cycles, and public holidays of countries that are known."""

from collections.abc import Iterator

from pipeline.base.public_holidays import PREFIX, explain_entry
from pipeline.base.text import show_name
from pipeline.config.schema import Cycle, DatasetConfig


def complain_of_calendar(dataset: DatasetConfig) -> Iterator[str]:
    """Yield what is wrong."""
    if len(set(dataset.calendar)) != len(dataset.calendar):
        yield f"dataset.calendar must name each only once, but got {[str(each) for each in dataset.calendar]}"
    for entry in dataset.calendar:
        if entry.startswith(PREFIX):
            if (fault := explain_entry(entry)) is not None:
                yield f"dataset.calendar: {fault}"
        elif entry not in [each.value for each in Cycle]:
            yield (
                f"dataset.calendar holds {show_name(entry)}, which is none of {', '.join(Cycle)}, or holiday:COUNTRY "
                "such as holiday:DE or holiday:DE-BY"
            )
