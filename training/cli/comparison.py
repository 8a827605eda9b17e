"""``ser-evaluate --against``: compare results with a baseline and print the comparison."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

from featurestore.cli.console import after_result, note, out, print_json
from schemas.errors import UsageError
from training.cli.choices import WeightingName
from training.cli.output_folder import require_no_run


def compare_and_print(
    runs: list[Path],
    against: list[Path],
    weights: WeightingName,
    given: list[str],
    output: Path | None,
    *,
    each: bool,
    json: bool,
) -> None:
    """Compare results with a baseline; ``given`` are options that only a test has."""
    from training.comparison.compare import ComparisonRequest, compare_results
    from training.report.differences.text import comparison_text
    from training.report.files import write_comparison

    if given:
        raise UsageError(
            f"--against compares test predictions that runs have stored; leave out {', '.join(given)}"
        )
    if each and len(runs) == 1:
        raise UsageError(f"--each is for several runs, but only {runs[0]} is given; leave out --each")
    if weights is not WeightingName.EQUAL and len(against) == 1 and (each or len(runs) == 1):
        raise UsageError(
            f"--weights {weights.value} is for the mean of several runs, but none is compared; leave "
            "out --weights"
        )
    require_no_run(output)
    found = compare_results(ComparisonRequest(tuple(runs), tuple(against), each, weights.value))
    for sentence in found.notices:
        note(sentence)
    problems = () if output is None else write_comparison(output, found)
    with nullcontext() if output is None else after_result():
        for sentence in problems:
            note(sentence)
        print_json(found.to_json()) if json else out.print(comparison_text(found), markup=False)
