#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Metrics, as Prometheus' own client reads them.

    prometheus.py FILE EXPRESSION [EARLIER]     is it true? Nothing is less than in EARLIER

v(NAME, LABEL=VALUE, ...) is the sum of the samples that have these labels. Whoever reads
them also looks at what is true of all: no two samples have the same labels, and histograms
are cumulative.
"""

import sys

from prometheus_client.parser import text_string_to_metric_families

NR_BOUNDS = 18


class Metrics:
    def __init__(self, path):
        with open(path, encoding="utf-8", newline="\n") as file:
            families = list(text_string_to_metric_families(file.read()))
        self.samples = {}       # (name, labels): (type, value)
        for family in families:
            assert family.documentation and family.type != "unknown", family
            for sample in family.samples:
                key = sample.name, tuple(sorted(sample.labels.items()))
                assert key not in self.samples, f"twice: {key}"
                self.samples[key] = family.type, sample.value
        for histogram in self._histograms().items():
            self._check_histogram(*histogram)

    def _histograms(self):
        histograms = {}
        for (name, labels), (kind, value) in self.samples.items():
            if kind == "histogram" and name.endswith("_bucket"):
                labels = dict(labels)
                bound = float(labels.pop("le"))
                key = name[:-len("_bucket")], tuple(labels.items())
                histograms.setdefault(key, {})[bound] = value
        return histograms

    def _check_histogram(self, key, histogram):
        name, labels = key
        counts = [histogram[bound] for bound in sorted(histogram)]
        assert counts == sorted(counts) and len(counts) == NR_BOUNDS, (key, counts)
        assert self.samples[name + "_count", labels][1] == counts[-1], key
        assert self.samples[name + "_sum", labels][1] >= 0, key

    def v(self, name, **labels):
        return sum(value for (sample, its), (_, value) in self.samples.items()
                   if sample == name and labels.items() <= dict(its).items())

    def labels(self, label):
        """All values of it."""
        return {dict(its)[label] for _, its in self.samples if label in dict(its)}

    def check_growth(self, earlier):
        for key, (kind, value) in earlier.samples.items():
            if kind != "gauge":
                assert key in self.samples and self.samples[key][1] >= value, \
                    (key, value, self.samples.get(key))


def main():
    metrics = Metrics(sys.argv[1])
    if len(sys.argv) > 3:
        metrics.check_growth(Metrics(sys.argv[3]))
    if eval(sys.argv[2], {"v": metrics.v, "labels": metrics.labels}):
        return 0
    print(*(f"{key}: {value}" for key, value in metrics.samples.items()), sep="\n",
          file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
