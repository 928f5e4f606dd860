"""What a scheduler shows of all runs: the page /exmc, JSON and metrics; who posts it there."""
