-- Pubcellar behind Prosody 0.12 or newer.
--
-- Put this file into the directory that your main configuration includes, on Debian
-- /etc/prosody/conf.d/pubcellar.cfg.lua, replace the two addresses and the secret, and restart
-- Prosody: `prosodyctl reload` adds no components. An included file starts in the server-wide
-- section again, so the order below may stay as it is. The project's own server tests run on this
-- very file.

-- Server-wide. With Prosody's defaults one page of items takes about 48 ms, most of it waiting for
-- TCP acknowledgements. `nagle = false` needs the larger `read_size` beside it: alone it stalls
-- under load. If your configuration has network_settings already, add these two keys to it instead.
network_settings = { nagle = false, read_size = 131072 }

-- The pubsub service itself. If you have one, let its own section stand and take over what you lack.
Component "pubsub.example.org" "pubsub"
    -- Tells who published an item. The cache passes on what the service says, no more.
    expose_publisher = true
    -- The most items a node may be configured to keep. Prosody's default is 256.
    pubsub_max_items = 10000

-- Pubcellar: the [component] table of pubcellar.toml has the same address and the same secret.
-- Prosody listens for components on 127.0.0.1:5347 unless component_ports and
-- component_interfaces say otherwise. The stream is not encrypted: keep it on this machine or in
-- a tunnel.
Component "cache.example.org"
    component_secret = "change-me"
    name = "Pubsub cache"
    -- To be let act for users, see below:
    --modules_enabled = { "privilege" }

-- With this, Pubcellar asks services in the names of this server's users (XEP-0356), so that owners
-- and members of nodes that are not open can use it too; without it users are strangers to services.
-- It needs mod_privilege, on Debian in the package prosody-modules, here and at the component above.
-- Take it into each VirtualHost whose users shall be acted for, and name these hosts in
-- [forwarding] hosts of pubcellar.toml unless it is the domain above the component's. Each namespace
-- is granted for itself; "get" instead of "both" grants reading alone. Where it is taken away again,
-- users are told to wait: name the host in [forwarding] alias_hosts if that is for good.
--VirtualHost "example.org"
--    modules_enabled = { "privilege" }
--    privileged_entities = {
--        ["cache.example.org"] = {
--            iq = {
--                ["http://jabber.org/protocol/pubsub"] = "both";
--                ["http://jabber.org/protocol/pubsub#owner"] = "both";
--                ["http://jabber.org/protocol/disco#info"] = "get";
--                ["http://jabber.org/protocol/disco#items"] = "get";
--            };
--        };
--    }
