"""The figures of an evaluation as a page in Markdown."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

from sfe_jax.core.markdown import table
from sfe_jax.evaluation.measuring import SECONDS, TITLES, Measured, high_is_good

Item = TypeVar("Item")

SENTENCES = {
    "generation": (),
    "inversion": (
        "L2 is the mean squared error in [-1, 1]; MS-SSIM has as many scales as fit.",
        "",
    ),
}
"""What a table's figures are, where their names do not say it."""

SHORT = 12
"""Digits of a SHA-256 that are shown; all of them are in the log."""


def show(value: float) -> str:
    """A figure with four digits."""
    return f"{value:.4g}"


def arrow(metric: str) -> str:
    """A metric's name with the side on which good values lie."""
    return f"{metric} {'↑' if high_is_good(metric) else '↓'}"


def _order(items: Iterable[Item]) -> list[Item]:
    """Each once, in the order of first appearance."""
    return list(dict.fromkeys(items))


def metric_lines(found: Sequence[Measured]) -> list[str]:
    """A row for each method, a column for each metric."""
    metrics = _order(each.result.metric for each in found)
    values = {(each.method, each.result.metric): show(each.result.value) for each in found}
    rows = [
        [TITLES.get(method, method), *(values.get((method, metric), "-") for metric in metrics)]
        for method in _order(each.method for each in found)
    ]
    return table(["method", *map(arrow, metrics)], rows)


def edit_lines(found: Sequence[Measured], metric: str) -> list[str]:
    """A row for each method, a column for each edit, and their mean; of one metric."""
    chosen = [each for each in found if each.result.metric == metric]
    edits = _order(each.edit for each in chosen)
    rows = []
    for method in _order(each.method for each in chosen):
        values = {each.edit: each.result.value for each in chosen if each.method == method}
        mean = sum(values.values()) / len(values)
        cells = [show(values[edit]) if edit in values else "-" for edit in edits]
        rows.append([TITLES.get(method, method), *cells, show(mean)])
    return table(["method", *edits, "mean"], rows)


def _counts(found: Sequence[Measured]) -> str:
    """Numbers of pictures, and of those that they are compared with."""
    counts = _order(str(each.result.count) for each in found)
    targets = _order(str(each.result.target_count or "") for each in found)
    against = f" against {', '.join(targets)}" if any(targets) else ""
    return ", ".join(counts) + against


def metric_provenance(found: Sequence[Measured]) -> list[str]:
    """What the figures of each metric rest on, a row for each edit."""
    judged = (x for x in found if x.result.metric != SECONDS)
    keys = _order((x.evaluator, x.result.metric, x.edit) for x in judged)
    rows = []
    for key in keys:
        chosen = [x for x in found if (x.evaluator, x.result.metric, x.edit) == key]
        judge = chosen[0].result.network[:SHORT] or "-"
        what = ", ".join(filter(None, key))
        rows.append([what, _counts(chosen), chosen[0].result.resize, judge])
    return table(("figure", "n", "resize", "judge"), rows)


def method_provenance(found: Sequence[Measured]) -> list[str]:
    """Who made the pictures, and in how much time for each evaluator."""
    rows = []
    for key in _order((x.method, x.evaluator) for x in found):
        chosen = [x.result for x in found if (x.method, x.evaluator) == key]
        # Figures of one pass over the pictures share its seconds.
        seconds = sum({x.seconds for x in chosen if x.metric != SECONDS})
        first = chosen[0]
        who = [TITLES.get(key[0], key[0]), key[1], first.weights[:SHORT] or "-", first.dtype or "-"]
        rows.append([*who, f"{seconds:.1f}"])
    return table(("method", "evaluator", "weights", "type", "seconds"), rows)


def warning_lines(found: Sequence[Measured]) -> list[str]:
    """What to keep in mind, once for each metric: of its figure of the fewest pictures."""
    warned = [each.result for each in found if each.result.warning]
    lines = []
    for metric in _order(result.metric for result in warned):
        chosen = [result for result in warned if result.metric == metric]
        fewest = min(chosen, key=lambda x: min(x.count, x.target_count or x.count))
        others = f" So do {len(chosen) - 1} other figures of it." if len(chosen) > 1 else ""
        lines.append(f"- {fewest.warning}.{others}")
    return lines or ["None."]


def page(
    found: Sequence[Measured],
    about: Mapping[str, Any],
    pictures: Mapping[str, str],
    notes: Sequence[str],
) -> str:
    """The whole page.

    Args:
        found: All figures.
        about: What the run was made with, by name.
        pictures: File beside the page -> what it shows.
        notes: Sentences about what was left out, and why.
    """
    lines = [f"# {about['name']}", ""]
    lines += [f"- {name}: {value}" for name, value in about.items() if name != "name"]
    lines += [f"- {note}" for note in notes]
    for evaluator in _order(each.evaluator for each in found):
        chosen = [each for each in found if each.evaluator == evaluator]
        lines += ["", f"## {evaluator.capitalize()}", ""]
        if evaluator != "editing":
            lines += [*SENTENCES[evaluator], *metric_lines(chosen)]
            continue
        for metric in _order(each.result.metric for each in chosen):
            lines += [f"{arrow(metric)}:", "", *edit_lines(chosen, metric), ""]
        lines.pop()
    for name, caption in pictures.items():
        lines += ["", f"![{caption}]({name})"]
    lines += ["", "## Warnings", "", *warning_lines(found)]
    lines += ["", "## Provenance", "", "Digests are the first digits of SHA-256; the log has all."]
    lines += ["", *metric_provenance(found), "", *method_provenance(found)]
    return "\n".join(lines) + "\n"


# What the plot shows.


def standing(found: Sequence[Measured], metric: str, frechet: str) -> dict[str, tuple[float, ...]]:
    """Method -> (inversion distance, mean editing distance, seconds per edit).

    Args:
        found: All figures.
        metric: Of inversions.
        frechet: Name of the Fréchet distance.

    Returns:
        Methods that were measured in both; seconds are 0 where none were taken.
    """
    means: dict[tuple[str, str, str], list[float]] = {}
    for each in found:
        key = (each.evaluator, each.method, each.result.metric)
        means.setdefault(key, []).append(each.result.value)

    def mean(*key: str) -> float:
        values = means.get((key[0], key[1], key[2]), [])
        return sum(values) / len(values) if values else 0.0

    return {
        method: (
            mean("inversion", method, metric),
            mean("editing", method, frechet),
            mean("editing", method, SECONDS),
        )
        for method in _order(each.method for each in found)
        if ("inversion", method, metric) in means and ("editing", method, frechet) in means
    }
