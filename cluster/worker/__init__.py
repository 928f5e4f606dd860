"""What runs where blocks run, whichever pool sent them there."""
