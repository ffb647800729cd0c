"""The benchmark: this library beside the ways it replaces, side by side and interleaved, as a table.

    samples    the event that everyone logs
    peers      the other side: what the replaced loggers and the usual libraries do
    comparison a row: rounds, medians, ratios and how they are printed
    series     how a figure changes along something
    bench      what a measurement is given: sizes, folders, the server
    running    one measurement after the other, each within its time
    machine    where it was measured
    saved      a run as a file
    changes    two runs beside each other
    page       a run as a part of docs/performance.md

    calls      what a caller pays: log() against queues, redaction, a CPU-bound neighbour
    stores     batches and single rows into PostgreSQL
    pipelines  from the caller to the committed row
    reading    questions to a table of a million rows
    disks      group commit
    stalls     the application's loop while a backlog drains
    outages    an outage's memory and its end, and log() under each fault

A ratio is taken within a round, where both sides ran one after the other on the same machine in the same second;
the table shows the median of the rounds with the least and the greatest. Figures of two runs are not comparable.
"""
