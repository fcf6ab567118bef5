"""What a person moves or reads beside a picture: made from a rule's own fields, with words for every state."""
