#!/usr/bin/env python3
"""Reads what `./dev bench --json FILE` wrote, and prints it as a table in Markdown.

Each line of the benchmarks is a row: what joinery does, the limit that the machine was found to
have in the same run, their ratio, the target, and whether it is reached. All are medians; of the
ratio, too: it is the median of the ratios of pairs that were measured side by side.

usage: table.py FILE [DOCUMENT]: prints the table, or puts it into a document between the lines
`<!-- figures -->` and `<!-- /figures -->`.
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
    words = {None: "–", True: "yes", False: "**no**"}
    for line in lines:
        yield (
            f"| `{line.name}` | {figure(line.joinery, line.unit)} "
            f"| {figure(line.limit, line.unit)} | {figure(line.ratio)} | {target(line)} "
            f"| {words[line.reached]} |"
        )


def machine(path):
    """What a report was measured on, in a sentence."""
    with open(path, encoding="utf-8") as file:
        contexts = [report["context"] for report in json.load(file)]
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        models = re.findall(r"model name\s*: (.*)", file.read())
    load = max(context["load_avg"][0] for context in contexts)
    day = contexts[0]["date"].partition("T")[0]
    return (
        f"Measured on {day}, on {contexts[0]['num_cpus']} cores "
        f"({models[0] if models else 'unknown'}), with a load average of up to {load:.1f} as a "
        "program began."
    )


def document(path):
    lines = read(path).values()
    judged = [line for line in lines if line.reached is not None]
    yield machine(path)
    yield f"{sum(line.reached for line in judged)} of {len(judged)} targets are reached."
    yield ""
    yield from rows(judged)
    yield ""
    yield "Without a target:"
    yield ""
    yield from rows(line for line in lines if line.reached is None)


def put_into(path, name, text):
    """Replaces what stands between two marks in a document."""
    with open(path, encoding="utf-8") as file:
        before, begin, rest = file.read().partition(f"<!-- {name} -->\n")
    _, end, after = rest.partition(f"<!-- /{name} -->")
    if not begin or not end:
        sys.exit(f"{path} has no place for {name}")
    with open(path, "w", encoding="utf-8") as file:
        file.write(before + begin + "\n" + text + "\n\n" + end + after)


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    text = "\n".join(document(sys.argv[1]))
    if len(sys.argv) == 3:
        put_into(sys.argv[2], "figures", text)
    else:
        print(text)


if __name__ == "__main__":
    main()
