"""From a log-density to machine code: readable source, named by its hash, compiled once."""
