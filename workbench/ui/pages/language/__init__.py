"""The page of language: what a strength does to sentences."""
