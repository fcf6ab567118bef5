"""The scripts of the pages: what each of them needs, and how their modules become one text for the browser."""
