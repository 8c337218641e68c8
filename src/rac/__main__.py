"""``python -m rac`` is the same as the ``rac`` command."""

from rac.cli import main

main()
