#!/usr/bin/env python3
"""Prints what the tests cover of include/joinery: ./dev coverage runs it over llvm-cov's export.

How it is counted:
- A template is counted once, where it stands in the source, and not once for each instantiation: a
  line counts as covered when any instantiation executed it, a side of a branch when any took it.
  A template that no test instantiates is not seen at all; llvm-cov knows nothing of it.
- A branch is one condition, each operand of && and || for itself, and has two sides. Conditions
  that the compiler decided are none: those of `if constexpr`, and whichever was evaluated and went
  neither way.
- Processes that a test kills leave no counts; what only they execute shows as not covered.
"""

import json
import pathlib
import sys
from collections import defaultdict

LEAST_LINES, LEAST_BRANCHES = 95.0, 90.0


def line_counts(segments):
    """Line -> how often it was executed, for the lines that hold code.

    A segment is [line, column, count, has a count, begins a region, is a gap], and holds until the
    next one. A line's count is the greatest among the one it begins with and those that begin on it.
    """
    starting = defaultdict(list)
    for segment in segments:
        starting[segment[0]].append(segment)
    counts, before = {}, None
    for line in range(segments[0][0], segments[-1][0] + 1) if segments else ():
        here = starting[line]
        skipped = bool(here) and not here[0][3] and here[0][4]
        begun = [s[2] for s in here if s[3] and s[4] and not s[5]]
        carried = [before[2]] if before and before[3] else []
        if not skipped and (begun or carried):
            counts[line] = max(begun + carried)
        before = here[-1] if here else before
    return counts


def count_at(segments, line, column):
    """The count of the code at this place."""
    count = 0
    for segment in segments:
        if (segment[0], segment[1]) > (line, column):
            break
        count = segment[2] if segment[3] else 0
    return count


def branch_sides(branches, segments, source):
    """(line, column, end) of each condition -> [taken when true, taken when false]."""
    sides = defaultdict(lambda: [False, False])
    for line, column, end_line, end_column, if_true, if_false, *_ in branches:
        side = sides[line, column, end_line, end_column]
        side[0] |= if_true > 0
        side[1] |= if_false > 0
    return {
        place: side
        for place, side in sides.items()
        if any(side)
        or not ("if constexpr" in source[place[0] - 1][: place[1]]
                or count_at(segments, place[0], place[1]) > 0)
    }


def ranges(numbers):
    """[1, 2, 3, 7] -> "1-3 7"."""
    parts = []
    for number in sorted(numbers):
        if parts and parts[-1][1] == number - 1:
            parts[-1][1] = number
        else:
            parts.append([number, number])
    return " ".join(str(a) if a == b else f"{a}-{b}" for a, b in parts)


def percent(covered, total):
    return 100.0 * covered / total if total else 100.0


def print_row(name, sums):
    columns = "".join(f"{a:7d} of {b:5d} {percent(a, b):6.2f} %" for a, b in zip(sums[::2], sums[1::2]))
    print(f"{name:12s}{columns}")


def main():
    export, rooms_root = sys.argv[1], pathlib.Path(sys.argv[2]).resolve()
    rooms = defaultdict(lambda: [0] * 6)
    missing = []
    with open(export, encoding="utf-8") as text:
        files = json.load(text)["data"][0]["files"]
    for file in sorted(files, key=lambda f: f["filename"]):
        path = pathlib.Path(file["filename"]).resolve()
        if rooms_root not in path.parents:
            continue
        name = path.relative_to(rooms_root)
        source = path.read_text(encoding="utf-8").splitlines()
        lines = line_counts(file["segments"])
        branches = branch_sides(file["branches"], file["segments"], source)
        functions = file["summary"]["functions"]
        row = [
            sum(count > 0 for count in lines.values()), len(lines),
            sum(sum(side) for side in branches.values()), 2 * len(branches),
            functions["covered"], functions["count"],
        ]
        room = name.parts[0] if len(name.parts) > 1 else "joinery"
        rooms[room] = [a + b for a, b in zip(rooms[room], row)]
        bare = {line for line, count in lines.items() if count == 0}
        # A line that was not executed at all says already that its branches were not.
        half = sorted({p[0] for p, side in branches.items() if not all(side)} - bare)
        if bare or half:
            missing.append((name, bare, half))

    if not rooms:
        sys.exit(f"{export} counts nothing below {rooms_root}")
    print("Not covered: lines; after a |, executed lines with a branch that never went one way")
    for name, bare, half in missing:
        print(f"  {name}: {ranges(bare)}" + (f" | {' '.join(map(str, half))}" if half else ""))
    print(f"\n{'':12s}{'lines':>24s}{'branches':>24s}{'functions':>24s}")
    for room, sums in sorted(rooms.items()):
        print_row(room, sums)
    total = [sum(column) for column in zip(*rooms.values())]
    print_row("in total", total)
    enough = percent(*total[0:2]) >= LEAST_LINES and percent(*total[2:4]) >= LEAST_BRANCHES
    if not enough:
        print(f"Wanted: {LEAST_LINES} % of lines and {LEAST_BRANCHES} % of branches")
    return 0 if enough else 1


if __name__ == "__main__":
    sys.exit(main())
