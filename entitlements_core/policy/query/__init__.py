"""The package query: the language a restriction is written in.

Pure: text, facts and `now` in, answers out. Text is cut into lexemes (`tokenizer`), read into a
tree (`parser`, `syntax`) whose values fit their fields (`fields`, `values`), and compiled once
into functions (`match`, `names`). Nothing a user writes becomes a regular expression.
"""

from entitlements_core.policy.query.explain import Clause, Explanation
from entitlements_core.policy.query.field_table import Field, ValueKind
from entitlements_core.policy.query.fields import FIELDS, FileField
from entitlements_core.policy.query.names import Admits
from entitlements_core.policy.query.package_query import PackageQuery
from entitlements_core.policy.query.parser import MAX_DEPTH
from entitlements_core.policy.query.syntax import unparse
from entitlements_core.policy.query.tokenizer import MAX_LENGTH

__all__ = [
    "FIELDS",
    "MAX_DEPTH",
    "MAX_LENGTH",
    "Admits",
    "Clause",
    "Explanation",
    "Field",
    "FileField",
    "PackageQuery",
    "ValueKind",
    "unparse",
]
