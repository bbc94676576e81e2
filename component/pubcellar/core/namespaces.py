"""XML namespaces and service discovery features, under the names the XEPs give them."""

NS_COMPONENT_ACCEPT = "jabber:component:accept"  # XEP-0114
NS_DELAY = "urn:xmpp:delay"
NS_STREAMS = "http://etherx.jabber.org/streams"  # RFC 6120 section 4.8
NS_STREAM_ERRORS = "urn:ietf:params:xml:ns:xmpp-streams"  # RFC 6120 section 4.9
NS_STANZA_ERRORS = "urn:ietf:params:xml:ns:xmpp-stanzas"  # RFC 6120 section 8.3
NS_XML = "http://www.w3.org/XML/1998/namespace"

NS_DATA_FORM = "jabber:x:data"  # XEP-0004
NS_DISCO_INFO = "http://jabber.org/protocol/disco#info"  # XEP-0030
NS_DISCO_ITEMS = "http://jabber.org/protocol/disco#items"  # XEP-0030
NS_RSM = "http://jabber.org/protocol/rsm"  # XEP-0059
NS_PUBSUB = "http://jabber.org/protocol/pubsub"  # XEP-0060
NS_PUBSUB_ERRORS = "http://jabber.org/protocol/pubsub#errors"
NS_PUBSUB_EVENT = "http://jabber.org/protocol/pubsub#event"
NS_PUBSUB_META_DATA = "http://jabber.org/protocol/pubsub#meta-data"
NS_PUBSUB_OWNER = "http://jabber.org/protocol/pubsub#owner"
NS_VERSION = "jabber:iq:version"  # XEP-0092
NS_PING = "urn:xmpp:ping"  # XEP-0199
NS_ORDER_BY = "urn:xmpp:order-by:1"  # XEP-0413
NS_SHIM = "http://jabber.org/protocol/shim"  # XEP-0131
NS_FORWARD = "urn:xmpp:forward:0"  # XEP-0297
NS_PRIVILEGE = "urn:xmpp:privilege:2"  # XEP-0356
NS_CLIENT = "jabber:client"  # RFC 6120 section 4.8
NS_PUBSUB_CACHING = "urn:xmpp:pubsub-caching:0"  # XEP-0460

NS_ATOM = "http://www.w3.org/2005/Atom"  # RFC 4287
NS_MICROBLOG = "urn:xmpp:microblog:0"  # XEP-0277

NS_GEOLOC = "http://jabber.org/protocol/geoloc"  # XEP-0080
NS_AVATAR_DATA = "urn:xmpp:avatar:data"  # XEP-0084
NS_AVATAR_METADATA = "urn:xmpp:avatar:metadata"  # XEP-0084
NS_URL_DATA = "http://jabber.org/protocol/url-data"  # XEP-0103
NS_CONFERENCE = "jabber:x:conference"  # XEP-0249
NS_VCARD4 = "urn:ietf:params:xml:ns:vcard-4.0"  # RFC 6351, XEP-0292
NODE_VCARD4 = "urn:xmpp:vcard4"  # XEP-0292
NS_FILE_METADATA = "urn:xmpp:file:metadata:0"  # XEP-0446
NS_FILE_SHARING = "urn:xmpp:sfs:0"  # XEP-0447
NS_PUBLIC_SUBSCRIPTIONS = "urn:xmpp:pps:0"  # XEP-0465
NODE_PUBLIC_SUBSCRIPTIONS = "urn:xmpp:pps:subscriptions:0"  # XEP-0465
NODE_PUBLIC_SUBSCRIBERS = "urn:xmpp:pps:subscribers:0"  # XEP-0465
NS_ATTACHMENTS = "urn:xmpp:pubsub-attachments:1"  # XEP-0470
NS_ATTACHMENTS_SUMMARY = "urn:xmpp:pubsub-attachments:summary:1"  # XEP-0470
NS_EVENTS = "urn:xmpp:calendar-events:0"  # XEP-0471
NS_SERVER_INFO = "urn:xmpp:serverinfo:0"  # XEP-0485
NODE_SERVER_INFO = "serverinfo"  # XEP-0485
NODE_STORIES = "urn:xmpp:pubsub-social-feed:stories:0"  # XEP-0501

FEATURE_PUBSUB_RSM = "http://jabber.org/protocol/pubsub#rsm"  # XEP-0060 section 6.5.4
