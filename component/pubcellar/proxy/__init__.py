"""Floor 2: the use cases, as async functions over the ports of `pubcellar.core.ports`.

`Proxy` is the front: it answers reads and takes notifications. Behind it, one worker per node keeps
what is held true: it analyses nothing by itself, writes alone, and lets the service decide.
"""

from pubcellar.proxy.parts import AccessPolicy, IdentitySettings, Limits, Parts
from pubcellar.proxy.proxy import Proxy

__all__ = ["AccessPolicy", "IdentitySettings", "Limits", "Parts", "Proxy"]
