"""Looking into a table of events, ours or anybody's, without being able to change it.

    scope         whose events may be seen at all
    moments       times as people say them
    query         which of these are asked for
    spellings     what a text that names actions means
    view          a table as something to read: where each field is, and how a row becomes an event
    own_view      ours
    mapped_view   one that is mapped: what a map did when rows were written is undone
    mapped_rows   an event of a mapped row
    json_text     what stands in a JSON column, for each database
    conditions    a query and a scope as conditions on a view
    opening       which view is for the table that is there
    damage        what of a row cannot be read
    cursor        where a page ended
    pages         one page of a listing
    analysis      questions that are answered by counting
    asked         what these can be asked
    analysis_statements, analysis_values
                  their statements, and what they find
    found         what the rows of these become
    periods       the hour or day of a time
    behavior      what a user did, in the spelling of old
    follow        new events as they come
    follow_*      ways of telling new rows from known ones: snapshots, rowids, numbers, times; and their choice
    connection    a connection that cannot write
    export        the events of a query as a file
    draft         a file on its way

Everything here is built on expressions: a view says for each field which expression of its table has the value, and
the same goes into a condition, an order, or a group. What a row becomes in Python is tested to be what its expressions
say in the database.

The scope is no part of a query, and no cursor holds it: it is put into every statement anew, in one place.
"""
