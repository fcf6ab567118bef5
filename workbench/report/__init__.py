"""The report of a store: one page that is read offline and printed, with the commands that make it again."""
