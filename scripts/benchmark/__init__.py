"""The benchmark: this library beside the ways it replaces, side by side and interleaved, as a table.

    samples    the event that everyone logs
    peers      the other side: what the replaced loggers and the usual libraries do
    comparison rounds, medians, ratios and how they are printed
    bench      what a measurement is given: sizes, folders, the server
    calls      what a caller pays: log() against queues, redaction, a CPU-bound neighbour
    stores     batches and single rows into PostgreSQL
    pipelines  from the caller to the committed row
    reading    questions to a table of a million rows
    disks      group commit
    outages    an outage's memory and its end, and log() under each fault

A ratio is taken within a round, where both sides ran one after the other on the same machine in the same second;
the table shows the median of the rounds with the least and the greatest. Figures of two runs are not comparable.
"""
