"""Items in the shapes in which clients publish them; together they give every key there is."""

import base64

PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(range(60))
ENCODED = base64.encodebytes(PICTURE).decode()

BALL = """
<event xmlns='urn:xmpp:calendar-events:0'>
  <name xml:lang='en'>Masked   ball</name>
  <name xml:lang='it'>Ballo in maschera</name>
  <start>2026-12-15T21:00:00+01:00</start>
  <end>2026-12-16T02:00:00Z</end>
  <head-picture>
    <file-sharing xmlns='urn:xmpp:sfs:0' disposition='inline'>
      <file xmlns='urn:xmpp:file:metadata:0'>
        <media-type>image/jpeg</media-type><name>hall.jpg</name><size>120354</size>
        <desc>The hall.</desc>
        <hash xmlns='urn:xmpp:hashes:2' algo='sha-256'>2XarmwTlNxDAMkvymloX3S5+Vbyl</hash>
      </file>
      <sources>
        <jinglepub xmlns='urn:xmpp:jinglepub:1' from='files.capulet.lit' id='1'/>
        <url-data xmlns='http://jabber.org/protocol/url-data'
                  target='https://files.capulet.lit/1/hall.jpg'/>
      </sources>
    </file-sharing>
  </head-picture>
  <description type='xhtml' xml:lang='en'>
    <div xmlns='http://www.w3.org/1999/xhtml'><p>Come <b>all</b>!</p></div>
  </description>
  <description type='text' xml:lang='en'>Come all!</description>
  <category term='ball' wd='Q478515'/><category term='dance'/><category wd='Q638'/>
  <location id='main'>
    <geoloc xmlns='http://jabber.org/protocol/geoloc' xml:lang='en'>
      <text>Ring twice.</text><description>The old house</description><building>A</building>
      <floor>1</floor><room>Hall</room><street>Via Cappello 23</street><area>Centre</area>
      <locality>Verona</locality><region>Veneto</region><postalcode>37121</postalcode>
      <country>Italy</country><countrycode>IT</countrycode>
      <lat>45.4418</lat><lon>10.9983</lon><uri>https://capulet.lit/way</uri>
    </geoloc>
    <online>
      <name>Stream</name>
      <software name='Jitsi Meet' wd='Q87849488' url='https://meet.jit.si/' need_install='false'/>
      <url-data xmlns='http://jabber.org/protocol/url-data'
                target='https://jitsi.capulet.lit/ball'/>
      <x xmlns='jabber:x:conference' jid='ball@muc.capulet.lit'/>
      <instructions xml:lang='en'>Click,
        then wait.</instructions>
    </online>
  </location>
  <rsvp xml:lang='en'>
    <x xmlns='jabber:x:data' type='form'>
      <field var='FORM_TYPE' type='hidden'><value>urn:xmpp:calendar-events:rsvp:0</value></field>
      <field type='list-single' label='Attending' var='attending'>
        <value>maybe</value>
        <option label='Perhaps'><value>maybe</value></option>
        <option label='Yes'><value>yes</value></option>
        <required/>
      </field>
      <field var='participants_number'/>
    </x>
  </rsvp>
  <invitees jid='pubsub.capulet.lit' node='urn:xmpp:calendar-events:invitees:0/ball'/>
  <comments jid='pubsub.capulet.lit' node='urn:xmpp:microblog:0:comments/ball'/>
  <blog jid='pubsub.capulet.lit' node='ball-blog'/>
  <schedule jid='pubsub.capulet.lit' node='urn:xmpp:calendar-events:0/ball-schedule'/>
  <attachments>
    <file-sharing xmlns='urn:xmpp:sfs:0'>
      <file xmlns='urn:xmpp:file:metadata:0'>
        <media-type>application/pdf</media-type><name>menu.pdf</name><size>50123</size>
        <desc>Dinner.</desc>
      </file>
      <sources>
        <url-data xmlns='http://jabber.org/protocol/url-data'
                  target='https://files.capulet.lit/2/menu.pdf'/>
      </sources>
    </file-sharing>
  </attachments>
  <extra>
    <x xmlns='jabber:x:data' type='result'>
      <field var='FORM_TYPE' type='hidden'><value>urn:xmpp:calendar-events:extra:0</value></field>
      <field var='website'><value>https://ball.capulet.lit</value></field>
      <field var='status'><value>confirmed</value></field>
      <field var='languages'><value>it</value><value>en</value></field>
      <field var='accessibility:wheelchair'><value>partial</value></field>
    </x>
  </extra>
</event>"""

COFFEE = """
<event xmlns='urn:xmpp:calendar-events:0'>
  <name>Coffee</name><start>2026-09-05</start><end>2026-09-06</end>
  <external jid='pubsub.capulet.lit' node='urn:xmpp:calendar-events:0/balls' item='ball'/>
</event>"""

AVATAR_METADATA = """
<metadata xmlns='urn:xmpp:avatar:metadata'>
  <info bytes='68' height='64' width='96' type='image/png'
        id='111f4b3c50d7b0df729d299bc6f8e9ef9066971f'/>
  <info bytes='23456' height='64' width='64' type='image/webp'
        id='357a8123a30844a3aa99861b6349264ba67a5694' url='https://avatars.example.org/a.webp'/>
  <pointer><x xmlns='urn:example:pointer'/></pointer>
</metadata>"""

AVATAR_DATA = f"<data xmlns='urn:xmpp:avatar:data'>\n  {ENCODED}</data>"

VCARD = """
<vcard xmlns='urn:ietf:params:xml:ns:vcard-4.0'>
  <kind><text>individual</text></kind>
  <fn><text>Dr. Juliet Capulet</text></fn>
  <n><surname>Capulet</surname><given>Juliet</given><additional>Maria</additional>
     <additional>Rosa</additional><prefix>Dr.</prefix><suffix>Jr.</suffix></n>
  <nickname><text>jule</text></nickname><nickname><text>jules</text></nickname>
  <photo><uri>data:image/png;base64,iVBORw0KGgo=</uri></photo>
  <photo><uri>https://capulet.lit/juliet.jpg</uri></photo>
  <bday><date>--0731</date></bday>
  <adr>
    <parameters><type><text>HOME</text></type><pref><integer>1</integer></pref></parameters>
    <pobox/><ext/><street>Via Cappello 23</street><locality>Verona</locality>
    <region>Veneto</region><code>37121</code><country>Italy</country>
  </adr>
  <tel><parameters><type><text>work</text><text>voice</text></type></parameters>
       <uri>tel:+39-45-123456</uri></tel>
  <email><parameters><type><text>home</text></type></parameters>
         <text>juliet@mail.capulet.lit</text></email>
  <impp><uri>xmpp:juliet@capulet.lit</uri></impp><impp><uri>sip:juliet@capulet.lit</uri></impp>
  <geo><uri>geo:45.4418,10.9983</uri></geo>
  <title><text>Heiress</text></title><role><text>Lover</text></role>
  <org><text>House of Capulet</text></org>
  <url><uri>https://capulet.lit/</uri></url>
  <group name='contact'><url><uri>https://juliet.capulet.lit/</uri></url></group>
  <lang><parameters><pref><integer>1</integer></pref></parameters>
        <language-tag>it</language-tag></lang>
  <note><text>
     On the balcony
     in the evening.
  </text></note>
</vcard>"""

SUBSCRIPTION = (
    "<subscription xmlns='urn:xmpp:pps:0' node='urn:xmpp:microblog:0' jid='benvolio@montague.lit'/>"
)
SUBSCRIBER = "<subscriber xmlns='urn:xmpp:pps:0' jid='mercutio@escalus.lit'/>"

SERVER_INFO = """
<serverinfo xmlns='urn:xmpp:serverinfo:0'>
  <domain name='shakespeare.lit'>
    <federation>
      <remote-domain name='denmark.lit'>
        <connection type='incoming'/><connection type='outgoing'/>
      </remote-domain>
      <remote-domain><connection type='bidi'/></remote-domain>
      <remote-domain name='verona.lit'/>
    </federation>
  </domain>
  <query xmlns='jabber:iq:version'><name>Prosody</name><version>13.0</version><os>Linux</os></query>
</serverinfo>"""

STORY = """
<entry xmlns='http://www.w3.org/2005/Atom'>
  <id>story-1</id><title>On the river</title><published>2026-03-01T09:30:00Z</published>
  <link rel='enclosure' href='https://upload.capulet.lit/river.jpg' type='image/jpeg'
        title='Story'/>
</entry>"""

ENTRY = """
<entry xmlns='http://www.w3.org/2005/Atom' xmlns:thr='http://purl.org/syndication/thread/1.0'
       xml:lang='en'>
  <id>tag:example.org,2026:1</id>
  <title>A</title><summary>B</summary><content>C</content>
  <author><name>Juliet</name><uri>xmpp:juliet@capulet.lit</uri><email>j@capulet.lit</email></author>
  <published>2026-03-01T09:30:00Z</published><updated>2026-03-01T09:30:00Z</updated>
  <category term='verona'/>
  <link href='https://social.example.org/1'/>
  <link rel='replies' title='comments' thr:count='1'
        href='xmpp:pubsub.example.org?;node=comments;item=a'/>
  <link rel='via' ref='tag:example.org,2026:0' href='xmpp:pubsub.example.org?;node=b;item=0'/>
  <link rel='enclosure' href='https://a.lit/' title='a' type='image/png' length='1'/>
  <thr:in-reply-to ref='tag:example.org,2026:2' href='xmpp:pubsub.example.org?;node=b;item=2'/>
</entry>"""

ATTACHMENT_NODE = (
    "urn:xmpp:pubsub-attachments:1/xmpp:juliet@capulet.lit?"
    ";node=urn%3Axmpp%3Amicroblog%3A0;item=balcony-afd1"
)

REACTIONS = """
<attachments xmlns='urn:xmpp:pubsub-attachments:1'>
  <noticed timestamp='2026-07-11T14:07:24+02:00'/>
  <reactions timestamp='2026-07-11T12:07:48Z'>
    <reaction>🔨</reaction><reaction>👷🏽‍♀️</reaction><reaction>🔨</reaction>
  </reactions>
  <rsvp xmlns='urn:xmpp:calendar-events:0'>
    <x xmlns='jabber:x:data' type='submit'>
      <field var='FORM_TYPE'><value>urn:xmpp:calendar-events:rsvp:0</value></field>
      <field var='attending'><value>yes</value></field>
    </x>
  </rsvp>
</attachments>"""

PUBLISHED: dict[str, list[tuple[str, str, str]]] = {
    "attachment": [(ATTACHMENT_NODE, "romeo@montague.lit", REACTIONS)],
    "avatar": [
        ("urn:xmpp:avatar:metadata", "a", AVATAR_METADATA),
        ("urn:xmpp:avatar:data", "a", AVATAR_DATA),
    ],
    "blog": [("urn:xmpp:microblog:0", "a", ENTRY)],
    "event": [
        ("urn:xmpp:calendar-events:0", "ball", BALL),
        ("urn:xmpp:calendar-events:0", "coffee", COFFEE),
    ],
    "public-subscriptions": [
        ("urn:xmpp:pps:subscriptions:0", "a", SUBSCRIPTION),
        ("urn:xmpp:pps:subscribers:0/urn:xmpp:microblog:0", "a", SUBSCRIBER),
    ],
    "serverinfo": [("serverinfo", "current", SERVER_INFO)],
    "story": [
        ("urn:xmpp:pubsub-social-feed:stories:0", "a", STORY),
        ("urn:xmpp:pubsub-social-feed:stories:0", "b", ENTRY),
    ],
    "vcard": [("urn:xmpp:vcard4", "current", VCARD)],
}
"""For each analyser: node, item id and payload."""
