"""The pages, a folder each. No page imports another one."""
