"""The terminal: ``pageturner`` starts, watches and explains the runs of a deployed stack.

It needs the stack's name, and credentials as boto3 finds them. Everything else it reads from the stack's outputs, the
tables and the bucket.
"""
