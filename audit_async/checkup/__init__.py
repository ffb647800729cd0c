"""Look at everything that events need on their way, and say what to do about what is wrong. Nothing is changed.

    finding     one thing that was found, and its weight
    settings    what was given, and from where
    packages    the driver, and versions that are too old
    transport   who can read or change what is on its way to the server
    database    the connection, the server, its clock
    servers     what a kind of server is set to
    table       the table, its version, the role's rights, its partitions
    directory   the journal's directory, and its disk
    journals    what lies in it: of processes that live, died, or are none of ours
    examine     all of it, within a bounded time

Each part goes on where another one cannot: with the database gone, the directory gone, or as a user who may not look.
"""
