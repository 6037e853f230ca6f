"""Commands for who works on TinyGPT: set-up, documents."""

import sys

if sys.version_info < (3, 11):  # before what an older Python cannot import
    sys.exit("TinyGPT needs Python 3.11 or newer, and this is Python %d.%d" % sys.version_info[:2])
