"""Our own table.

columns       what it has, and how it is recognised
ddl           the statements that make it, for each database
script        all of that for a new one, as plain statements
partitions    its months, on PostgreSQL
guard         it is append-only
triggers      the statements of that, for each database
versions      which version its schema has
creation      it is made, or looked at
upgrade       an older one is brought to the present version
ownership     who may change it
transactions  short ones, beside writers at work
connection    a connection of its own for that
"""
