"""The demo, in the order one reads it: `records` are replayed as events (`mapping`) in four `ways` by `children`
into a table (`places`), and the `proof` counts them there. `__main__` tells the story, `screen` shows it.
"""
