"""Each page of docs/migrating is followed: what it changes is run, and what it promises is seen."""
