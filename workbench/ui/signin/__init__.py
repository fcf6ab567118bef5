"""Who may come in: passwords, what happens to who guesses them, and sessions that end."""
