"""Lets wokkel 18 be imported; to be imported before anything of wokkel.

COMPAT wokkel 18.0.0 (2017): `wokkel.data_form`, and so disco and pubsub, import the name `_PY3`
from Twisted, which Twisted 21.2 removed (wokkel issue 31). It says whether this is Python 3. A test
tells when this module is no longer needed.
"""

from twisted.python import compat

# mypy and ruff both know that the name is not there, which is the point.
compat._PY3 = True  # type: ignore[attr-defined]
