"""What every section of the benchmark of a GPU needs."""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

from exmc_dask.sampler.settings import Settings
from models.seven import MODELS
from on_card.blocks import Bench
from on_card.machine import Machine
from on_card.report import Budget, Report
from on_card.subject import Subject


@dataclass(frozen=True)
class Trial:
    """What every section needs."""

    options: argparse.Namespace
    machine: Machine
    bench: Bench
    subjects: dict[str, Subject]
    budget: Budget
    report: Report

    def lanes(self, subject: Subject, chains: int) -> list[int]:
        """Return the numbers of lanes that are tried for so many chains."""
        return self.options.lanes or [self.machine.lanes(subject, chains)]

    def begins(self, section: str, what: str, seconds: float) -> bool:
        """Tell whether something is to be tried: it was not yet, and there is time for it."""
        return self.report.is_new(section, what) and self.budget.allows(what, seconds)

    def pairs(self) -> Iterator[tuple[str, int]]:
        """Go over the kernels that there will be, those for correctness first."""
        for chains in (self.options.few, *self.options.chains):
            for name, subject in self.subjects.items():
                for lanes in self.lanes(subject, chains):
                    yield name, lanes

    def all_pairs(self) -> list[tuple[str, int]]:
        """Return each kernel once, those of the sweep at the end."""
        swept = self.options.sweep_lanes if self.options.sweep_chains else []
        return [*dict.fromkeys([*self.pairs(), *product(self.subjects, swept)])]


def subject(name: str, tune: int) -> Subject:
    return Subject.of(name, MODELS[name](), Settings(seed=1, tune=tune, draws=2**30))


def subjects(options: argparse.Namespace, report: Report) -> dict[str, Subject]:
    """Return the models, without those that cannot be had."""
    found = {}
    for name in options.models:
        if not report.is_wrong("models", name):
            with report.attempt("models", name):
                found[name] = subject(name, options.tune)
    return found


def same(holds: bool) -> str:
    return "same" if holds else "OTHER"


def verdict(holds: bool) -> str:
    return "" if holds else "  WRONG"
