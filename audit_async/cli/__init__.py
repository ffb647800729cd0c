"""The terminal tool: `audit-async init URL`, `maintain URL`, `drain`, `journal`, `quarantine`, `catalog`, ...

Exit codes: 0 done, 1 something remains or was found, 2 wrong use or a setting that cannot be meant, 130 interrupted.
"""
