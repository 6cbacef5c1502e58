"""Who belongs to the property: founding, inviting, joining, and the roster as it goes round."""
