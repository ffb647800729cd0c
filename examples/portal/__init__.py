"""A portal of company members, and its audit trail. In the order one reads it:

members      the application's own table
signing_in   by the company's identity provider, with Authlib
syncing      members as the company's directory has them, every night and on demand
app          the pages, and where the audit log is begun and ended
company      a stand-in for what the company has anyway: identity provider and directory
__main__     one process that serves all of it
"""
