"""The page of rollouts: whole episodes of a steered policy, at two strengths."""
