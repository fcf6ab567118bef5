"""Training: the losses, each in a file, which of them a run needs, the loop, and fast forms of both."""
