#!/usr/bin/env python3
"""Draws how the benchmarks' figures grow, from what `./dev bench --json FILE` wrote.

A series is made of the lines that differ in one number: `local/records:100000` is the series
`local` at 100 000 records, and the line `local` alone is the same at the workload's 10 000. What is
drawn is the cost of one operation, element or record, on logarithmic axes, with the line that fits
best (least squares of the logarithms): its slope is the exponent by which that cost grows. 0 is
linear work in all; n log n work is about 0.1 at these sizes.

usage: plot.py FILE FOLDER [DOCUMENT]: writes FOLDER/growth-*.svg, and prints the exponents, or
puts them and the plots into a document, between `<!-- growth -->` and `<!-- /growth -->`.
"""

import math
import pathlib
import sys

sys.dont_write_bytecode = True
import table  # noqa: E402, it stands beside this one

WIDTH, HEIGHT = 600, 360
LEFT, RIGHT, TOP, BOTTOM = 76, 210, 36, 48
COLOURS = ("#0b6e99", "#b3541e", "#3b7d3b", "#7a4fa3", "#a3274f", "#6b6b1f", "#444444", "#0f8b8d")
# Lines that are the same as one of a series, under the name by which they have a target.
NAMED = {
    "merge": [("merge", "records", 10_000)],
    "merge-1M": [("merge", "records", 1_000_000)],
    "local": [("local", "records", 10_000)],
    "durable": [("durable", "records", 10_000)],
    "compile": [("compile", "tables", 5), ("compile", "fields", 8)],
}


def places(name):
    """The series that a line belongs to: [(name, parameter, number)…]."""
    if name in NAMED:
        return NAMED[name]
    name, slash, last = name.rpartition("/")
    parameter, colon, number = last.partition(":")
    return [(name, parameter, int(number))] if slash and colon and number.isdigit() else []


def series(lines):
    """{parameter: {name: [(number, line)…]}}, of those with three points or more."""
    found = {}
    for line in lines.values():
        for name, parameter, number in places(line.name):
            found.setdefault(parameter, {}).setdefault(name, []).append((number, line))
    for of_parameter in found.values():
        for name in [n for n, points in of_parameter.items() if len(points) < 3]:
            del of_parameter[name]
        for points in of_parameter.values():
            points.sort(key=lambda point: point[0])
    return {parameter: of for parameter, of in found.items() if of}


def cost(line):
    """What one operation costs: of a rate its inverse, in microseconds."""
    return 1e6 / line.joinery if line.unit.endswith("/s") else line.joinery


def unit_of_cost(line):
    return "µs/" + line.unit[:-2] if line.unit.endswith("/s") else line.unit


def fit(points):
    """The slope and the height of the line that fits best, in logarithms."""
    x = [math.log(n) for n, _ in points]
    y = [math.log(value) for _, value in points]
    mean_x, mean_y = sum(x) / len(x), sum(y) / len(y)
    slope = sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y)) / sum(
        (a - mean_x) ** 2 for a in x
    )
    return slope, mean_y - slope * mean_x


def decades(low, high):
    return [10.0**e for e in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)]


def short(value):
    for factor, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= factor and value % (factor / 10) == 0:
            return f"{value / factor:g} {letter}"
    return f"{value:g}"


def draw(title, parameter, curves):
    """An SVG of `curves`: [(name, unit, [(number, cost)…], slope, height)…]."""
    numbers = [n for curve in curves for n, _ in curve[2]]
    costs = [c for curve in curves for _, c in curve[2]]
    ticks_y = decades(min(costs), max(costs))
    if len(ticks_y) == 1:
        ticks_y.append(ticks_y[0] * 10)
    low_x, high_x = min(numbers) / 1.3, max(numbers) * 1.3

    def x(n):
        share = math.log(n / low_x) / math.log(high_x / low_x)
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    def y(c):
        share = math.log(c / ticks_y[0]) / math.log(ticks_y[-1] / ticks_y[0])
        return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)

    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        'font-family="sans-serif" font-size="11">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        f'<text x="{LEFT}" y="20" font-size="13">{title}</text>',
    ]
    for tick in ticks_y:
        out.append(
            f'<line x1="{LEFT}" y1="{y(tick):.1f}" x2="{WIDTH - RIGHT}" y2="{y(tick):.1f}" '
            'stroke="#dddddd"/>'
        )
        out.append(
            f'<text x="{LEFT - 6}" y="{y(tick) + 4:.1f}" text-anchor="end">{short(tick)}</text>'
        )
    for tick in sorted(set(numbers)):
        out.append(
            f'<line x1="{x(tick):.1f}" y1="{TOP}" x2="{x(tick):.1f}" y2="{HEIGHT - BOTTOM}" '
            'stroke="#eeeeee"/>'
        )
        out.append(
            f'<text x="{x(tick):.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">'
            f"{short(tick)}</text>"
        )
    out.append(
        f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 10}" text-anchor="middle">'
        f"{parameter}</text>"
    )
    units = sorted({curve[1] for curve in curves})
    out.append(
        f'<text x="14" y="{HEIGHT / 2}" text-anchor="middle" '
        f'transform="rotate(-90 14 {HEIGHT / 2})">{", ".join(units)}</text>'
    )
    for place, (name, _, points, slope, height) in enumerate(curves):
        colour = COLOURS[place % len(COLOURS)]
        ends = [points[0][0], points[-1][0]]
        fitted = " ".join(
            f"{x(n):.1f},{y(math.exp(height + slope * math.log(n))):.1f}" for n in ends
        )
        out.append(f'<polyline points="{fitted}" fill="none" stroke="{colour}"/>')
        for n, c in points:
            out.append(f'<circle cx="{x(n):.1f}" cy="{y(c):.1f}" r="3.5" fill="{colour}"/>')
        at = TOP + 14 + 16 * place
        out.append(
            f'<circle cx="{WIDTH - RIGHT + 14}" cy="{at - 4}" r="3.5" fill="{colour}"/>'
            f'<text x="{WIDTH - RIGHT + 22}" y="{at}">{name}: {slope:+.2f}</text>'
        )
    out.append("</svg>\n")
    return "\n".join(out)


def main():
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    folder = pathlib.Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    text = ["| series | of | exponent of one unit's cost | measured at |", "|---|---|---|---|"]
    plots = []
    for parameter, of_parameter in series(table.read(sys.argv[1])).items():
        by_unit = {}
        for name, points in of_parameter.items():
            unit = unit_of_cost(points[0][1])
            costs = [(n, cost(line)) for n, line in points]
            slope, height = fit(costs)
            by_unit.setdefault(unit, []).append((name, unit, costs, slope, height))
            at = ", ".join(short(n) for n, _ in costs)
            text.append(f"| `{name}` | {parameter} | {slope:+.2f} | {at} |")
        for unit, curves in by_unit.items():
            slug = unit.replace("µs/", "").replace("/", "-per-").lower()
            title = f"{unit} as the number of {parameter} grows: fitted exponents"
            plots.append(f"growth-{parameter}-{slug}.svg")
            (folder / plots[-1]).write_text(draw(title, parameter, curves), encoding="utf-8")
    text += [""] + [f"![{plot[:-4]}]({plot})" for plot in plots]
    if len(sys.argv) == 4:
        table.put_into(sys.argv[3], "growth", "\n".join(text))
    else:
        print("\n".join(text))


if __name__ == "__main__":
    main()
