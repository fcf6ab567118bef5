"""Steering: what a rule is, the rules, running them, and the traces of what they did."""
