"""What those who watch a run are shown by the process that started it."""
