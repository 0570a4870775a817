"""The examples of the documentation are tests: every ``python`` block in a page is run."""

from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser, SkipParser

pytest_collect_file = Sybil(
    parsers=[PythonCodeBlockParser(), SkipParser()], patterns=["docs/*.md", "README.md"]
).pytest()
