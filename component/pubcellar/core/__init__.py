"""Floor 1: values, decisions, ports and errors, in the standard library only.

The core knows pubsub and freshness. It knows no XML stream, socket, SQL or clock: those are handed
in through the protocols of `ports`. Every other room may import from here; this room imports from
no other.
"""
