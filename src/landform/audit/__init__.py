"""The event log as evidence: chained so that an altered, removed or added row shows.

Events are written by the transactions they tell of, many at once. A chain that each of those had
to extend would make them wait for one another, so links are added a moment later, by whichever
server gets to it first (`chain.extend`). Each link is keyed with a secret that the database holds
only sealed: who can write to the database but has not the encryption key cannot make a link.
"""
