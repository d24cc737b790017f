"""``python -m nb2prod.cli``."""

from nb2prod.cli.main import main

main()
