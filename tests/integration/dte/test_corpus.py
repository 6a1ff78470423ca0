"""Every document of a corpus is judged as its manifest says; skipped where there is no corpus."""

import os
from pathlib import Path

import pytest

from tests.corpus import judge_corpus

pytestmark = pytest.mark.integration

CORPUS = os.environ.get("DTE_CORPUS", "")


@pytest.mark.skipif(not CORPUS, reason="DTE_CORPUS does not name a corpus of documents")
def test_every_document_is_judged_as_its_manifest_says(settings):
    folder = Path(CORPUS)
    settings.DTE_CAF_AUTHORITY_KEYS = [
        f"{path.name.split('_')[2].split('.')[0]}:{path}"
        for path in (folder / "keys").glob("caf_authority_[0-9]*.pub.pem")
    ]
    failures = [f"{o.entry['file']}: {o.failure}" for o in judge_corpus(folder) if o.failure]
    assert not failures, "\n".join(failures)
