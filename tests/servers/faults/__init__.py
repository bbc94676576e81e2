"""Faults between the proxy and its XMPP server, injected by a relay, and what the proxy owes then.

Like the harness, nothing here imports the proxy's own code: its reader must not hide its faults.
"""
