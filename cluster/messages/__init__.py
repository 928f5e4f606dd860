"""What coordinator, workers and scheduler write to each other."""
