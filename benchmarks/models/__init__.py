"""Models that tests and benchmarks share: the seven of the races, and examples of known truth."""
