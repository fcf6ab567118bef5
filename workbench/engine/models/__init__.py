"""Networks and closed forms: velocity fields, critics, state values, learned parts, and what holds them together."""
