"""Measurements of a policy: return, shift, support, the critic's error, cost, each with its interval or floor."""
