"""Named protocols: methods × tasks × seeds that make a table, as data; a suite is a sweep of one into a store."""
