"""What the benchmarks keep in results/."""

import csv


def write(path, header, rows):
    """One table as CSV; nothing without a path."""
    if path is None:
        return
    with open(path, "w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *rows])
