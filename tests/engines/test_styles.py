"""WebKit 2.50 knows every property of the page's style sheets; the walk asks each engine for the
values too.
"""

import pytest

from tests.engines import styles

pytestmark = pytest.mark.fast


def test_webkit_knows_every_property():
    used = {name for name, _ in styles.declarations() if not name.startswith("-")}
    assert len(used) > 100
    assert used - styles.known() == set(styles.WITHOUT)
