"""Floor 3: the XMPP side. Twisted, wokkel and every parsed stanza live here and nowhere else.

Implements the ports `Forwarder` and `ServiceReader` of `pubcellar.core.ports`, and
`pubcellar.analysers.Boundary`. A stanza is parsed once at the door, turned into a value, and an
answer is rendered once.
"""
