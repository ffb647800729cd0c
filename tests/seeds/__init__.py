"""The tables of the systems that came before, as their own models make them, and what their own code writes there.

Said again here, so that what audit_async writes can be laid beside it. Of each there is a `metadata`, the model, and
the functions or methods that fill it, under their own names.
"""
