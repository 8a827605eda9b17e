"""Write the files of a finished search, and of the series of its tested models."""

from __future__ import annotations

import json

from schemas.messages.printable import escape_controls
from training.report.extras import Extras
from training.report.files import write_series
from training.report.page.search_page import search_page
from training.report.search.result import SearchResult
from training.report.search.text import search_text, trials_text
from training.report.series_summary import AnySummary
from training.runs.run import RunFolder
from training.runs.series import SeriesFolder


def write_search(folder: SeriesFolder, summary: AnySummary, result: SearchResult) -> tuple[str, ...]:
    """Write the summary of the series, ``search-result.json``, ``search.txt``, ``search.html`` and hashes.

    Returns a sentence for each page or picture that failed.
    """
    problems = write_series(folder, summary)
    files = RunFolder(folder.path)
    files.write_text("search.txt", escape_controls(f"{search_text(result)}\n\n{trials_text(result)}\n"))
    files.write_text("search-result.json", json.dumps(result.to_json(), indent=1, ensure_ascii=False) + "\n")
    extras = Extras(files)
    extras.write("search.html", lambda: search_page(result))
    extras.write_hashes()
    return (*problems, *extras.problems)
