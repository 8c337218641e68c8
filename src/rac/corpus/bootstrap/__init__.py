"""Clarification data from a corpus without labels.

The steps, one file each: what every passage is about (``phrases``, ``facets``), ambiguous terms (``terms``), queries as
typed and questions in varied wordings (``wording``), splits without shared passages (``splitting``), and the loop over
an index that puts them together (``build``).
"""

from rac.corpus.bootstrap.build import BootstrapResult, Check, bootstrap
from rac.corpus.bootstrap_settings import Bootstrap

__all__ = ["Bootstrap", "BootstrapResult", "Check", "bootstrap"]
