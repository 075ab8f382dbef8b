"""`python -m harness` is `parity`."""

import sys

from harness.cli import main

sys.exit(main())
