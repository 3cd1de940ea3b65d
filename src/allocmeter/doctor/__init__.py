"""Finding out what works here: every claim is tried with blocks of known size.

`diagnosis` puts the checks together; each of them is in a module of its own and answers with a
`Check`, whatever happens.
"""
