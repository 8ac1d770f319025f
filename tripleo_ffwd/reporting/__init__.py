"""What is told of a plan afterwards: where each node stands, and the report as JSON and as a page.

It reads no ledger and writes no file of a run: `ansible_run` gives what runs have done, `plan` what is recorded of
phases. It may import those two, and neither actions nor commands.
"""
