# SPDX-License-Identifier: GPL-2.0
"""What is true of each report, JSON of instrctl stat --time, that is not of one program.

    report = read(path)         as instrctl wrote it: the last line
    for name, good in truths(report): ...
"""

import json


def read(path):
    with open(path, encoding="utf-8") as file:
        return json.loads(file.read().splitlines()[-1])


def calls_have_exits(report):
    return report["tsc_khz"] > 0 and all(
        row["calls"] == sum(row["exits"].values()) for row in report["functions"])


def histograms_fit(report):
    return all(sum(bucket[2] for bucket in row["histogram"]) + row["exits"]["inside"] <=
               row["calls"] and all(bucket[0] < bucket[1] for bucket in row["histogram"])
               for row in report["functions"])


def times_are_in_order(report):
    return all(
        row["min_ns"] <= row["p50_ns"] <= row["p90_ns"] <= row["p99_ns"] <= row["p999_ns"] <=
        row["max_ns"] <= row["total_ns"] and row["min_ns"] <= row["mean_ns"] <= row["max_ns"] and
        row["self_ns"] <= row["total_ns"]
        for row in report["functions"] if row["total_ns"] is not None)


def truths(report):
    yield "each call has an exit", calls_have_exits(report)
    yield "histograms have no more than there were", histograms_fit(report)
    yield "times are in order", times_are_in_order(report)
