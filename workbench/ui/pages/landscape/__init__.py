"""The page of landscapes: what the critic says around the actions, and whether it can be trusted there."""
