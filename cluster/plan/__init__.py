"""The brain of a run: events, commands and the rules between them, all pure."""
