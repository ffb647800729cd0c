"""The table is looked after, as its owner: months ahead, what is old, legal holds, roles and rights."""
