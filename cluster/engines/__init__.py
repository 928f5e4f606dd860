"""What makes the draws of a unit: NUTS on CPUs and GPUs, parts of fits, predictions."""
