"""The page's fixtures, for the attacks that need a browser."""

from tests.page.conftest import browser, no_complaints, own_tab, server, server_without_isolation, tab  # noqa: F401
