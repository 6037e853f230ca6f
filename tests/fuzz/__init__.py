"""Random inputs by the count: `python3 -m tests.fuzz.NAME --count N`, and a small test of each."""
