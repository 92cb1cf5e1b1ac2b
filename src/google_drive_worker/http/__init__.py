"""HTTP as every adapter needs it: which addresses are safe, one bounded exchange, and the one way to retry."""
