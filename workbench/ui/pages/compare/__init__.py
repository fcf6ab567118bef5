"""The page Compare: methods over tasks."""
