"""`make faults`: kill runs at random moments, and damage every kind of file of a workspace in every way."""

import sys

from tests.faults import damage, kills

sys.exit(kills.main() | damage.main())
