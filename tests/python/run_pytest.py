"""run_pytest.py FILE...: pytest, or exit status 77 (skipped) where it is not installed."""

import sys

try:
    import pytest
except ImportError:
    print("pytest is not installed: ./dev setup does that, given a network")
    sys.exit(77)

if __name__ == "__main__":
    sys.exit(pytest.main(["-q", "-p", "no:cacheprovider", *sys.argv[1:]]))
