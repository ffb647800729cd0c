"""Entries on this machine's disk, from the moment that `log()` returns until the database has them.

The journal knows bytes, not events. It promises:

- what `append` was given survives the death of the process by any signal, and, once `synced` has reached its number,
  the loss of power;
- what it accepted is never evicted to make room: at the limit it refuses, and says so;
- no damage of its files makes reading raise, hang or give a payload that was not appended.

The parts, in the way of an entry:

    place      which directory, and whether it can be trusted
    file_set   the files of one process incarnation, and their locks
    frame      an entry's bytes: magic, length, number, checksum, payload
    segment    one preallocated file of frames
    memory     entries that no disk takes
    batch      what a journal is opened with, and what it hands out
    journal    append, read, settle
    age        how long the oldest entry has waited
    sync       the group commit, on a thread of its own
    cursor     reading a file set from a position, past any damage
    index      reading it where entries do not stand in their order
    confirm    the mark of how far a file set is settled
    adoption   file sets whose process has died
    survey     the file sets in a directory, looked at and not taken
    contents   what such a file set holds: entries, damage, gaps

All numbers are little-endian. A segment is a header of 256 bytes (magic `AUDJSEG1`, format u16, number u32, writer 16
bytes, created ns u64, capacity u64, host, service and destination as padded UTF-8, CRC-32), then frames (magic u32,
length u32, number u64, CRC-32 over writer, length, number and payload u32, payload), then zeros.

Source: frames and resynchronisation as in Vector's disk buffer v2; group commit as PostgreSQL's `commit_delay`; a
failed `fdatasync` is never asked again of the same file (PostgreSQL's `data_sync_retry`).
"""
