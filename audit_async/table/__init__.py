"""Our own table.

columns      what it has, and how it is recognised
ddl          the statements that make it, for each database
partitions   its months, on PostgreSQL
guard        the triggers that keep it append-only
triggers     the statements of that, for each database
creation     it is made, or looked at
connection   a connection of its own for that
"""
