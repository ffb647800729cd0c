"""Which column holds what of an entry, in our own table and in others."""
