"""Answers while they are being given: who reads them may leave, come back, and come elsewhere.

    turns       what names a turn, and a place in it
    running     the answers that this process is giving
    shared      copies of them in Redis, for the readers of other processes and hosts
    stored      turns in the database: ended ones, and those that another process is at
    following   one reader's way through a turn, wherever it is
    asking      the entry: ask, ask again, resume, stop

The text of a turn is kept, not its events: an event's number is how many bytes of UTF-8 have been said,
so a reader who comes back gets the rest, whatever pieces it comes in and whoever has it.
"""
