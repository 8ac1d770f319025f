"""Messages about phases to a Zaqar queue, a webhook, a command: kept until they are taken, sent by threads of theirs.

Whoever does the work only writes a small file. Nothing here ever raises for a receiver, or makes anybody wait for one.
It may import config and zaqar, and plan for where its files are; neither runs nor actions.
"""
