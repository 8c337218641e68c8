"""Clarification data from a corpus without labels.

The steps, one file each: what every passage is about (``subjects``, with ``phrases`` and ``case``), ambiguous terms
(``terms``), how an option names a passage (``facets``), queries as typed and questions in varied wordings
(``wording``), one example (``maker``) with its faulty twins (``faults``), splits without shared passages
(``splitting``), the loop over an index that puts them together (``build``), and the data card (``card``).
"""

from rac.corpus.bootstrap.build import BootstrapResult, bootstrap
from rac.corpus.bootstrap.maker import Check, Reword
from rac.corpus.bootstrap_settings import Bootstrap

__all__ = ["Bootstrap", "BootstrapResult", "Check", "Reword", "bootstrap"]
