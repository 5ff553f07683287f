#!/usr/bin/env python3
"""Reads what `./dev bench --json FILE` wrote, and prints it as a table in Markdown.

Each line of the benchmarks is a row: what joinery does, the limit that the machine was found to
have in the same run, their ratio, the target, and whether it is reached. All are medians; of the
ratio, too: it is the median of the ratios of pairs that were measured side by side.
"""

import json
import re
import sys


class Line:
    """One line of a report: its figures, and its target if it has one."""

    def __init__(self, name, run):
        self.name = name
        self.joinery = run["joinery"]
        self.limit = run.get("limit")
        self.ratio = run.get("ratio")
        self.repetitions = run["repetitions"]
        self.unit, _, judged = run["label"].partition("; ")
        found = re.fullmatch(r"(ratio )?([<>])= (\S+)", judged)
        self.of_ratio = bool(found and found[1])
        self.most = bool(found and found[2] == "<")
        self.target = float(found[3]) if found else None

    @property
    def reached(self):
        """None when there is no target."""
        if self.target is None:
            return None
        value = self.ratio if self.of_ratio else self.joinery
        return value <= self.target if self.most else value >= self.target


def read(path):
    """The lines of a report, by name, in the order in which they were measured."""
    with open(path, encoding="utf-8") as file:
        reports = json.load(file)
    lines = {}
    for report in reports:
        for run in report["benchmarks"]:
            name = run["run_name"].split("/iterations:")[0]
            median = run.get("aggregate_name") == "median"
            if median or (run["run_type"] == "iteration" and run.get("repetitions", 1) < 2):
                lines[name] = Line(name, run)
    return lines


def figure(value, unit=""):
    """With three digits that count, and a unit."""
    if value is None:
        return "–"
    size = ""
    for factor, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if unit.endswith("/s") and value >= factor:
            value, size = value / factor, letter
            break
    text = f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"
    return f"{text} {size}{' ' if size else ''}{unit}".strip()


def target(line):
    if line.target is None:
        return "–"
    value = f"{line.target:g}" if line.of_ratio else figure(line.target, line.unit)
    return f"{'ratio ' if line.of_ratio else ''}{'≤' if line.most else '≥'} {value}"


def rows(lines):
    yield "| | joinery | limit | ratio | target | reached |"
    yield "|---|---|---|---|---|---|"
    words = {None: "–", True: "yes", False: "no"}
    for line in lines:
        yield (
            f"| {line.name} | {figure(line.joinery, line.unit)} | {figure(line.limit, line.unit)} "
            f"| {figure(line.ratio)} | {target(line)} | {words[line.reached]} |"
        )


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: table.py FILE")
    lines = read(sys.argv[1])
    print("\n".join(rows(lines.values())))
    judged = [line for line in lines.values() if line.reached is not None]
    print(f"\n{sum(line.reached for line in judged)} of {len(judged)} targets are reached.")


if __name__ == "__main__":
    main()
