"""The page of budgets: return against distribution shift, for every rule of a store."""
