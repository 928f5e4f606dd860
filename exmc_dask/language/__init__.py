"""How a model is declared: through two doors into one frozen record, checked line by line."""
