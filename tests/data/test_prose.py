"""The page of English is plain: small letters, no odd signs, lines of one kind."""

import re

from genedu.data.prose import PROSE


def test_the_page_is_plain_text():
    assert 4000 < len(PROSE) < 8000
    assert re.fullmatch(r"[a-z .,\n]+", PROSE) and not re.search(r"  | \n|\n\n\n", PROSE)
