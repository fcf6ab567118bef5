"""The token room: responses as matrices of word embeddings, which steering moves and rounds back to words once."""
