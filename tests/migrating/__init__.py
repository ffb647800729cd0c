"""Each page of docs/migrating is followed: what it changes is run as it was and as it is, and what it promises is seen."""
