"""Where other frameworks meet this one: one file a framework, each loaded only by whoever uses it."""
