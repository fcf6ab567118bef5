"""What makes the docs site: the law of imports and its picture, and what is added while the site is built."""
